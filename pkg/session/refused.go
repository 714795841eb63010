package session

import (
	"fmt"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// refused says why there is no credential, and what to do next.
func (a *attempt) refused(act offline.Action, f offline.Failure) error {
	e := &Error{Profile: a.m.profile, Cause: act.Cause}
	login := "run 'oidc-cred login --profile " + a.m.profile + "'"
	switch act.Verb {
	case offline.SignIn, offline.SignOut:
		e.Kind, e.Hint = SignInRequired, login
	default:
		e.Kind = Unreachable
	}
	switch act.Cause {
	case offline.CauseNoSession:
		e.Message = "profile " + a.m.profile + " is not signed in"
	case offline.CauseNoRefreshToken:
		e.Message = fmt.Sprintf("the %s token of profile %s has expired and there is no refresh token", a.kind, a.m.profile)
		if !a.expired() {
			e.Message = fmt.Sprintf("the %s token of profile %s can't be renewed: there is no refresh token", a.kind, a.m.profile)
		}
		e.Hint = login + "; the scope offline_access usually brings a refresh token"
	case offline.CauseNotRenewed:
		e.Message = fmt.Sprintf("the provider gave no new %s token for profile %s", a.kind, a.m.profile)
	case offline.CauseRejected:
		e.Message = fmt.Sprintf("the provider ended the session of profile %s (%s); it has been removed", a.m.profile, f.Detail)
		if f.Category == offline.ClientError {
			e.Hint = "check client_id, client_secret and scopes of profile " + a.m.profile + ", then " + login
		}
	case offline.CauseLimitPassed:
		e.Message = fmt.Sprintf("profile %s has been without its provider for %s, longer than offline.max_duration allows", a.m.profile, a.without())
		if act.Verb == offline.SignOut {
			e.Message += "; the session has been removed"
			break
		}
		e.Hint = "the session is kept: try again when the provider can be reached"
	case offline.CauseOfflineOff:
		e.Message = fmt.Sprintf("the provider of profile %s can't be reached and the %s token has expired%s", a.m.profile, a.kind, a.whyOffline(f))
		e.Hint = "try again later; 'oidc-cred token --force-refresh' tries at once, and 'offline: {enabled: true}' in the profile allows the expired token"
		if a.policy.Enabled != a.m.policy.Enabled {
			e.Hint = "try again later, or without --no-offline"
		}
	default:
		e.Message = fmt.Sprintf("the provider of profile %s can't be reached and there is no cached %s token%s", a.m.profile, a.kind, a.whyOffline(f))
		e.Hint = "try again later"
	}
	return e
}

func (a *attempt) expired() bool {
	if a.rec == nil {
		return false
	}
	expiry := a.rec.held(a.kind).Expiry
	return !expiry.IsZero() && !a.m.now().Before(expiry)
}

func (a *attempt) without() string {
	if a.rec == nil || a.rec.State.LastSync.IsZero() {
		return "an unknown time"
	}
	now, _ := a.rec.State.EffectiveNow(a.m.now())
	return offline.Short(now.Sub(a.rec.State.LastSync))
}

// whyOffline is the last failure and the next try, in parentheses.
func (a *attempt) whyOffline(f offline.Failure) string {
	if a.rec == nil {
		return ""
	}
	s := a.rec.State
	detail := f.Detail
	if detail == "" {
		detail = s.LastError
	}
	text := ""
	if detail != "" {
		text = detail
	}
	if wait := s.NextRetry.Sub(a.m.now()); wait > 0 && f.Category == "" {
		if text != "" {
			text += "; "
		}
		text += "next try in " + offline.Short(wait.Round(time.Second))
	}
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
