package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// loginError says what went wrong with a sign-in.
func (m *Manager) loginError(what string, step offline.Step, err error) error {
	var own *Error
	var local interface{ Configuration() bool }
	if errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.As(err, &local) && local.Configuration() {
		return err
	}
	e := &Error{Profile: m.profile, Kind: SignInRequired, Err: err, Message: what + ": " + describe(err)}
	e.Hint = "run 'oidc-cred login --profile " + m.profile + "' again"
	var denied *oidcflow.AuthorizationError
	var idToken *oidcflow.IDTokenError
	var keys *keysError
	var unknownKey *oidcflow.UnknownKeyError
	var listen *oidcflow.ListenError
	var answer *oidcflow.ResponseError
	var metadata *oidcflow.MetadataError
	switch {
	case errors.Is(err, oidcflow.ErrSignInTimeout), errors.Is(err, oidcflow.ErrDeviceCodeExpired):
	case errors.As(err, &listen):
		e.Kind, e.Hint = 0, listen.Hint()
	case errors.As(err, &answer):
		e.Hint = "sign in again, in one browser window; if it happens again, check the issuer of profile " + m.profile
	case errors.Is(err, oidcflow.ErrNoDeviceGrant):
		e.Kind, e.Hint = 0, "sign in without --device"
	case errors.As(err, &metadata):
		e.Kind, e.Hint = Unreachable, "check the issuer "+m.flow.Issuer+": it must be written exactly as the provider writes it"
		if metadata.Field != "issuer" {
			e.Hint = "have the provider's operators look at " + metadataURL(m.flow.Issuer) + ", and check the issuer of profile " + m.profile
		}
	case errors.As(err, &denied):
		switch denied.Code {
		case "access_denied":
		case "server_error", "temporarily_unavailable":
			e.Kind, e.Hint = Unreachable, "try again later"
		default:
			e.Hint = cmp.Or(hintIn(err), m.codeHint(denied.Code, denied.Description), "check client_id, scopes and redirect of profile "+m.profile+" against the provider's settings for this client")
		}
	case errors.As(err, &unknownKey):
		e.Hint = "the provider's keys and its ID tokens don't go together; try again in some minutes, and tell the provider's operators"
	case errors.As(err, &idToken):
		e.Hint = m.idTokenHint(idToken)
	default:
		failure := offline.NewFailure(step, err, m.now())
		switch {
		case errors.As(err, &keys):
			e.Kind, e.Hint = Unreachable, cmp.Or(failure.Advice, "try again later")
			e.Message = what + ": the provider's keys (jwks_uri) can't be had: " + describe(err)
		case step == offline.StepSubjectToken:
			e.Kind, e.Hint = Unreachable, cmp.Or(hintIn(err), m.subjectHint(failure))
		case failure.Category == offline.Unknown:
			e.Kind = 0 // unexpected, or a mistake in what was asked for
			e.Hint = cmp.Or(hintIn(err), "'oidc-cred doctor' checks the configuration and the provider")
		case step == offline.StepDiscovery && failure.Category.Rejection():
			e.Kind, e.Hint = Unreachable, "check the issuer "+m.flow.Issuer+": "+metadataURL(m.flow.Issuer)+" must answer with its discovery document"
		case failure.Category.Rejection():
			e.Hint = m.rejectionHint(err, failure)
		case failure.Code == "use_dpop_nonce" && m.flow.DPoP == "never": // RFC 9449 §8
			e.Hint = m.codeHint(failure.Code, failure.Detail)
		case m.certificateHint(err) != "":
			e.Kind, e.Hint = Unreachable, m.certificateHint(err)
		default:
			e.Kind, e.Hint = Unreachable, cmp.Or(failure.Advice, "try again when the provider can be reached; 'oidc-cred doctor' checks the way to it")
		}
	}
	return e
}

// hintIn is what an error of another package says to do; "" nothing.
func hintIn(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// describe is an error in words that are fit for a terminal.
func describe(err error) string {
	if offline.Classify(err) != offline.Unknown {
		return offline.Describe(err)
	}
	return oidcflow.Clean(fmt.Sprint(err))
}

func metadataURL(issuer string) string {
	u, err := url.JoinPath(issuer, ".well-known/openid-configuration")
	if err != nil {
		return issuer
	}
	return u
}
