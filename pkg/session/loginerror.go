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
	case errors.As(err, &denied):
		switch denied.Code {
		case "access_denied":
		case "server_error", "temporarily_unavailable":
			e.Kind, e.Hint = Unreachable, "try again later"
		default:
			e.Hint = cmp.Or(hintIn(err), "check client_id, scopes and redirect of profile "+m.profile+" against the provider's settings for this client")
		}
	case errors.As(err, &unknownKey):
		e.Hint = "the provider's keys and its ID tokens don't go together; try again in some minutes, and tell the provider's operators"
	case errors.As(err, &idToken):
		e.Hint = cmp.Or(hintIn(err), "check the issuer and the client_id of profile "+m.profile)
		if idToken.ClockRelated() {
			e.Hint = "set this machine's clock; 'oidc-cred doctor' compares it with the provider's"
		}
	default:
		failure := offline.NewFailure(step, err, m.now())
		switch {
		case errors.As(err, &keys):
			e.Kind, e.Hint = Unreachable, "try again later"
		case step == offline.StepSubjectToken:
			e.Kind, e.Hint = Unreachable, cmp.Or(hintIn(err), m.checkSubject())
		case failure.Category == offline.Unknown:
			e.Kind = 0 // unexpected, or a mistake in what was asked for
			e.Hint = cmp.Or(hintIn(err), "'oidc-cred doctor' checks the configuration and the provider")
		case step == offline.StepDiscovery && failure.Category.Rejection():
			e.Kind, e.Hint = Unreachable, "check the issuer "+m.flow.Issuer+": "+metadataURL(m.flow.Issuer)+" must answer with its discovery document"
		case failure.Category.Rejection() && m.workload != nil:
			e.Hint = cmp.Or(hintIn(err), m.checkWorkload())
		case failure.Category.Rejection():
			e.Hint = cmp.Or(hintIn(err), m.checkClient())
		default:
			e.Kind, e.Hint = Unreachable, "try again when the provider can be reached; 'oidc-cred doctor' checks the way to it"
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
