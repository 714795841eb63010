package helper

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// The Security Token Service of AWS, API version 2011-06-15, as far as
// AssumeRoleWithWebIdentity goes. The request is not signed: the token is what
// it is granted for.

// stsCredentials are what STS gives.
type stsCredentials struct {
	AccessKeyID     string    `json:"id"`
	SecretAccessKey string    `json:"secret"`
	SessionToken    string    `json:"token"`
	Expiration      time.Time `json:"expiry"`
}

// stsForm is the request's body.
func stsForm(role, sessionName string, duration time.Duration, token oidcflow.Secret) string {
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn": {role}, "RoleSessionName": {sessionName}, "WebIdentityToken": {token.Reveal()},
	}
	if duration > 0 {
		form.Set("DurationSeconds", fmt.Sprint(int64(duration/time.Second)))
	}
	return form.Encode()
}

// readSTS reads the answer.
func readSTS(a *answer) (*stsCredentials, error) {
	if a.status != http.StatusOK {
		return nil, readSTSError(a)
	}
	var in struct {
		XMLName     xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(a.body, &in); err != nil {
		return nil, &serverDown{reason: "HTTP 200 without an answer of STS"}
	}
	c := in.Credentials
	expiry, err := time.Parse(time.RFC3339, c.Expiration)
	if err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" {
		return nil, &serverDown{reason: "HTTP 200 without credentials"}
	}
	return &stsCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: expiry.UTC()}, nil
}

// The error codes of STS that may pass.
func stsPassing() []string {
	return []string{
		// The provider's keys could not be fetched by AWS.
		"IDPCommunicationError",
		"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure", "InternalError",
	}
}

// readSTSError reads a refusal, or what stands in its place.
func readSTSError(a *answer) error {
	var in struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Code    string   `xml:"Error>Code"`
		Message string   `xml:"Error>Message"`
	}
	if xml.Unmarshal(a.body, &in) != nil || in.Code == "" {
		return a.down() // not STS: a proxy, a captive portal, a load balancer
	}
	code, message := oidcflow.Clean(in.Code), oidcflow.Clean(in.Message)
	if a.trouble() || slices.Contains(stsPassing(), in.Code) {
		return &serverDown{reason: fmt.Sprintf("HTTP %d, %s", a.status, code)}
	}
	no := refusal{message: fmt.Sprintf("STS refused: %s: %s", code, strings.TrimSuffix(message, "."))}
	switch strings.TrimSuffix(in.Code, "Exception") {
	case "ExpiredToken":
		no.advice = "the token is good by this machine's clock: compare the clock with 'oidc-cred doctor'"
		return &tokenRefused{no}
	case "InvalidIdentityToken":
		no.advice = "IAM needs an OpenID Connect provider for the token's issuer, with its audience (iss and aud, as 'oidc-cred token -o json' and '--type id' show them)"
		return &tokenRefused{no}
	case "AccessDenied":
		no.advice = "check that the role exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for this issuer, audience and subject"
	case "IDPRejectedClaim":
		no.advice = "the token's claims are not what the IAM identity provider expects; check its audience"
		return &tokenRefused{no}
	case "ValidationError":
		no.advice = "check --role-arn, --session-name and --duration, which the role's maximum session duration bounds"
	}
	return &no
}
