package helper

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// GCPOptions are the helper's flags.
type GCPOptions struct {
	Profile string
	// Type of the token; "" is the ID token.
	Type session.TokenType
}

// The token types that Google's libraries take from an executable. Both are
// answered in the member id_token.
const (
	gcpIDToken = "urn:ietf:params:oauth:token-type:id_token"
	gcpJWT     = "urn:ietf:params:oauth:token-type:jwt"
)

// gcpAnswer is an executable's answer, google.aip.dev/auth/4117 ("Determining
// the subject token in executable-sourced credentials").
type gcpAnswer struct {
	Version        int    `json:"version"`
	Success        bool   `json:"success"`
	TokenType      string `json:"token_type,omitempty"`
	IDToken        string `json:"id_token,omitempty"`
	ExpirationTime int64  `json:"expiration_time,omitempty"`
	Code           string `json:"code,omitempty"`
	Message        string `json:"message,omitempty"`
}

// GCP answers one call of Google Cloud's libraries, which say in the
// environment what they want. The answer is on stdout, an error too, and the
// program then ends with 0: with another code the libraries look no further.
//
// No token is written to GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE. It would lie there
// in clear, and the session is the better cache: the libraries run the helper
// where the file is not there.
func GCP(ctx context.Context, env Env, opt GCPOptions) error {
	answer, err := gcpToken(ctx, env, opt)
	switch {
	case err == nil:
		return answer.write(env.Stdout)
	case ctx.Err() != nil:
		return err
	}
	return GCPFailed(env.Stdout, err)
}

// GCPFailed answers with an error; of a helper that fails in another way the
// libraries show nothing.
func GCPFailed(out io.Writer, err error) error { return gcpError(err).write(out) }

func (a *gcpAnswer) write(out io.Writer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = out.Write(append(data, '\n'))
	return err
}

// isJWT says whether a token is signed JSON in the compact form.
func isJWT(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	var claims struct {
		Alg string `json:"alg"`
	}
	return err == nil && json.Unmarshal(header, &claims) == nil && claims.Alg != ""
}

func gcpToken(ctx context.Context, env Env, opt GCPOptions) (*gcpAnswer, error) {
	kind, err := gcpTokenType(env.getenv, opt.Type)
	if err != nil {
		return nil, err
	}
	target, err := env.Profile(opt.Profile)
	if err != nil {
		return nil, err
	}
	req := session.Request{Type: opt.Type}
	if req.Type == "" {
		req.Type = session.ID
	}
	// Nobody is asked: what is written for a person would be in the answer.
	tok, err := target.token(ctx, req, false)
	if err != nil {
		return nil, err
	}
	if req.Type == session.Access && !isJWT(tok.Value.Reveal()) { // an ID token is one
		return nil, &UsageError{
			Message: fmt.Sprintf("the %s token of profile %s is no JWT, and Google's STS takes no other", req.Type, target.Profile),
			Advice:  "leave out --type access, so that the ID token is sent",
		}
	}
	answer := &gcpAnswer{Version: 1, Success: true, TokenType: kind, IDToken: tok.Value.Reveal()}
	switch {
	case tok.Expired && !target.offlineAsked():
		return nil, refuseExpired(tok, env.now(), "Google's STS")
	case !tok.Expired && !tok.Expiry.IsZero():
		answer.ExpirationTime = tok.Expiry.Unix()
	}
	return answer, nil
}

// gcpTokenType reads the environment; without it, as when a person runs the
// helper by hand, the answer is the ID token.
func gcpTokenType(getenv func(string) string, wanted session.TokenType) (string, error) {
	if getenv("GOOGLE_EXTERNAL_ACCOUNT_REVOKE") == "1" {
		return "", &UsageError{Message: "a sign-out is not for Google's tools to ask for", Advice: "run 'oidc-cred logout'"}
	}
	if getenv("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE") == "1" {
		return "", &UsageError{
			Message: "in interactive mode the token would have to be written to a file in clear",
			Advice:  "take interactive_timeout_millis out of the credential configuration and sign in with 'oidc-cred login'",
		}
	}
	switch kind := getenv("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"); kind {
	case "", gcpIDToken:
		if wanted == session.Access {
			if kind == "" {
				return gcpJWT, nil
			}
			return "", &UsageError{Message: "an ID token is asked for, and --type access gives none", Advice: "set subject_token_type in the credential configuration to " + gcpJWT}
		}
		return gcpIDToken, nil
	case gcpJWT:
		return gcpJWT, nil
	default:
		return "", &UsageError{
			Message: fmt.Sprintf("a token of type %q is asked for, and this helper gives %s or %s", oidcflow.Clean(kind), gcpIDToken, gcpJWT),
			Advice:  "set subject_token_type in the credential configuration to one of them",
		}
	}
}

// gcpError is an error as the libraries show it.
func gcpError(err error) *gcpAnswer {
	code := "FAILED"
	var usage *UsageError
	var local interface{ Configuration() bool } // the command line's own
	switch kind := session.KindOf(err); {
	case kind == session.SignInRequired:
		code = "SIGN_IN_REQUIRED"
	case kind == session.Unreachable:
		code = "PROVIDER_UNREACHABLE"
	case kind == session.StoreUnusable:
		code = "STORE_UNUSABLE"
	case errors.As(err, &usage), errors.As(err, &local) && local.Configuration():
		code = "USAGE"
	}
	return &gcpAnswer{Version: 1, Code: code, Message: strings.TrimPrefix(strings.TrimSuffix(line(err), "\n"), "oidc-cred: error: ")}
}
