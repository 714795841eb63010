package helper

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// AWSOptions are the helper's flags.
type AWSOptions struct {
	// RoleARN is the role to take on; "" is $AWS_ROLE_ARN.
	RoleARN string
	// SessionName stands in AWS's logs; "" is $AWS_ROLE_SESSION_NAME, or made
	// from the user's name.
	SessionName string
	// Duration of the credentials; 0 is what STS gives, an hour.
	Duration time.Duration
	// Region whose STS is asked; "" is $AWS_REGION or $AWS_DEFAULT_REGION.
	Region string
	// EndpointURL is another STS; "" is $AWS_ENDPOINT_URL_STS or
	// $AWS_ENDPOINT_URL.
	EndpointURL string
	// Type of the token; "" is the ID token.
	Type session.TokenType
	// ForceRefresh asks STS whatever is kept.
	ForceRefresh bool
}

// How long before their end credentials are renewed: the SDKs call a
// credential_process again from fifteen minutes on and insist from ten on.
const (
	awsShouldRenew = 15 * time.Minute
	awsMustRenew   = 10 * time.Minute
)

// AWS answers one call of the AWS tools' credential_process: it trades the
// token for a role's temporary credentials at STS.
func AWS(ctx context.Context, env Env, opt AWSOptions) error {
	opt.RoleARN = cmp.Or(opt.RoleARN, env.getenv("AWS_ROLE_ARN"))
	opt.SessionName = cmp.Or(opt.SessionName, env.getenv("AWS_ROLE_SESSION_NAME"))
	opt.Type = cmp.Or(opt.Type, session.ID)
	if err := opt.Check(); err != nil {
		return err
	}
	endpoint, err := STSEndpoint(opt.EndpointURL, opt.Region, env.getenv)
	if err != nil {
		return err
	}
	target, err := env.mappedTarget(endpoint, "oidc-cred setup aws")
	if err != nil {
		return err
	}
	t := trade{
		kind:    "aws",
		key:     []string{endpoint, opt.RoleARN, opt.SessionName, opt.Duration.String(), string(opt.Type)},
		server:  "STS at " + endpoint,
		request: session.Request{Type: opt.Type},
		should:  awsShouldRenew, must: awsMustRenew, anew: opt.ForceRefresh,
		fetch: func(ctx context.Context, tok *session.Token) (tradedFor, error) {
			name := cmp.Or(opt.SessionName, awsSessionName(tok))
			a, err := target.send(ctx, http.MethodPost, endpoint, env.getenv("AWS_CA_BUNDLE"), map[string]string{
				"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/xml",
			}, stsForm(opt.RoleARN, name, opt.Duration, tok.Value))
			if err != nil {
				return tradedFor{}, err
			}
			got, err := readSTS(a)
			if err != nil {
				return tradedFor{}, err
			}
			value, err := json.Marshal(got) //nolint:gosec // sealed before it is kept
			return tradedFor{Value: value, Expiry: got.Expiration}, err
		},
	}
	held, err := t.run(ctx, env, target)
	if err != nil {
		return err
	}
	return writeAWS(env, held)
}

// writeAWS prints the credentials as
// docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html has
// it.
func writeAWS(env Env, held *tradedFor) error {
	var c stsCredentials
	if err := json.Unmarshal(held.Value, &c); err != nil {
		return fmt.Errorf("read the kept credentials: %w", err)
	}
	out := struct {
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}{1, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration.Format(time.RFC3339)}
	data, err := json.Marshal(out) //nolint:gosec // it is what was asked for
	if err != nil {
		return fmt.Errorf("encode the credentials: %w", err)
	}
	_, err = env.Stdout.Write(append(data, '\n'))
	return err
}

// The bounds of STS's own check.
const (
	minAWSDuration = 15 * time.Minute
	maxAWSDuration = 12 * time.Hour
)

// Check says what is wrong with the options.
func (o AWSOptions) Check() error {
	switch {
	case o.RoleARN == "":
		return &UsageError{Message: "no role is given", Advice: "add --role-arn arn:aws:iam::ACCOUNT:role/NAME, as 'oidc-cred setup aws' does"}
	case !strings.HasPrefix(o.RoleARN, "arn:") || len(o.RoleARN) > 2048 || strings.ContainsFunc(o.RoleARN, notInHeader):
		return &UsageError{Message: fmt.Sprintf("%q is no role's ARN", o.RoleARN), Advice: "it is like arn:aws:iam::123456789012:role/NAME"}
	case o.SessionName != "" && (cleanSessionName(o.SessionName) != o.SessionName || len(o.SessionName) < 2):
		return &UsageError{Message: fmt.Sprintf("the session name %q is none that STS takes", o.SessionName), Advice: "use 2 to 64 letters, digits and _+=,.@-"}
	case o.Duration != 0 && (o.Duration < minAWSDuration || o.Duration > maxAWSDuration):
		return &UsageError{Message: fmt.Sprintf("the duration %s is none that STS takes", o.Duration), Advice: "use 15m to 12h, and no more than the role allows"}
	}
	return nil
}

// STSEndpoint is the URL of the STS to ask: the one given, else the one that
// the environment names as the AWS tools read it, else AWS's own in the region,
// or without one the global one. aws-global is that one too.
func STSEndpoint(given, region string, getenv func(string) string) (string, error) {
	if given == "" && getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true" {
		given = cmp.Or(getenv("AWS_ENDPOINT_URL_STS"), getenv("AWS_ENDPOINT_URL"))
	}
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
			return "", &UsageError{Message: fmt.Sprintf("the STS endpoint %q is no URL of a web server", given), Advice: "it is like https://sts.eu-central-1.amazonaws.com"}
		}
		if u.Path == "" {
			u.Path = "/"
		}
		return u.String(), nil
	}
	region = cmp.Or(region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"))
	switch {
	case region == "" || region == "aws-global":
		return "https://sts.amazonaws.com/", nil
	case strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(region) > 40:
		return "", &UsageError{Message: fmt.Sprintf("%q is no region of AWS", region), Advice: "it is like eu-central-1"}
	case strings.HasPrefix(region, "cn-"):
		return "https://sts." + region + ".amazonaws.com.cn/", nil
	}
	return "https://sts." + region + ".amazonaws.com/", nil
}

// awsSessionName is how the user is called in AWS's logs.
func awsSessionName(tok *session.Token) string {
	for _, name := range []string{tok.Username, tok.Subject} {
		if name = cleanSessionName(name); len(name) >= 2 {
			return name
		}
	}
	return "oidc-cred"
}

// cleanSessionName keeps what STS takes, [\w+=,.@-]{2,64}.
func cleanSessionName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 64)]
}
