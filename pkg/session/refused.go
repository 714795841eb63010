package session

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// refuse tells of the action's events and says why there is no credential, and
// what to do next.
func (a *attempt) refuse(act offline.Action, f offline.Failure) error {
	a.m.emit(act.Events...)
	remembered := act.Cause == offline.CauseRejected && f.Step == ""
	if remembered {
		f, a.hint = a.absent.refused.Failure(), a.absent.refusedHint
	}
	e := &Error{Profile: a.m.profile, Cause: act.Cause, Warnings: act.Warnings, Err: a.notRemoved}
	token := "access token"
	if a.kind == ID {
		token = "ID token"
	}
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
		e.Message = fmt.Sprintf("the %s of profile %s has expired and there is no refresh token", token, a.m.profile)
		if !a.expired() {
			e.Message = fmt.Sprintf("the %s of profile %s can't be renewed: there is no refresh token", token, a.m.profile)
		}
		e.Hint = login + "; the scope offline_access usually brings a refresh token"
	case offline.CauseNotRenewed:
		e.Message = fmt.Sprintf("the provider gave no new %s for profile %s", token, a.m.profile)
	case offline.CauseRejected:
		e.Message = fmt.Sprintf("the provider ended the session of profile %s (%s); it", a.m.profile, f.Detail) + a.removal()
		if f.Step == offline.StepIDToken {
			// It was not the provider who ended it.
			e.Message = fmt.Sprintf("oidc-cred ended the session of profile %s, since the new ID token can't be that of this session (%s); it", a.m.profile, strings.TrimPrefix(f.Detail, "ID token: ")) + a.removal()
		}
		if f.Category == offline.ClientError || f.Code == "invalid_client" || f.Code == "unauthorized_client" {
			e.Hint = cmp.Or(a.m.codeHint(f.Code, f.Detail), a.m.checkClient()) + ", then " + login
		}
		if a.hint != "" {
			e.Hint = a.hint + ", then " + login
		}
	case offline.CauseLimitPassed:
		e.Message = fmt.Sprintf("profile %s has been without its provider for %s, longer than offline.max_duration allows", a.m.profile, a.without())
		if act.Verb == offline.SignOut {
			e.Message += "; the session" + a.removal()
			break
		}
		e.Hint = "the session is kept: try again when the provider can be reached"
		if advice := a.advice(f); advice != "" {
			e.Hint = advice + "; the session is kept"
		}
	case offline.CauseOfflineOff:
		e.Message = fmt.Sprintf("the provider of profile %s can't be reached and the %s has expired%s", a.m.profile, token, a.whyOffline(f))
		e.Hint = a.again(f)
		if a.kind == Access && a.advice(f) == "" {
			// An expired ID token is of little use: kube-apiserver takes none.
			e.Hint += ", and 'offline: {enabled: true}' in the profile allows the expired token"
		}
		if a.policy.Enabled != a.m.policy.Enabled {
			if e.Hint = "try again later, or without --no-offline"; a.advice(f) != "" {
				e.Hint = a.again(f) + "; or try without --no-offline"
			}
		}
	default:
		e.Message = fmt.Sprintf("the provider of profile %s can't be reached and there is no cached %s%s", a.m.profile, token, a.whyOffline(f))
		e.Hint = a.again(f)
	}
	if a.m.workload != nil {
		a.forWorkload(e, act, f, token)
	}
	if f.Category == offline.TLSError && a.hint != "" {
		e.Hint = a.hint
	}
	if wait := a.absent.refused.Until.Sub(a.m.now()); remembered && wait > 0 {
		e.Message += "; it is asked again in " + offline.Short(wait.Round(time.Second))
		e.Hint += "; 'oidc-cred token --force-refresh' asks at once"
	}
	return e
}

// advice is what can be done on this machine about the failure, or about the
// last one if this call did not try; "" nothing.
func (a *attempt) advice(f offline.Failure) string {
	if f.Step != "" {
		return f.Advice
	}
	return a.stateNow().Advice
}

// again says how to try again.
func (a *attempt) again(f offline.Failure) string {
	if advice := a.advice(f); advice != "" {
		return advice + "; then 'oidc-cred token --force-refresh' tries at once"
	}
	return "try again later; 'oidc-cred token --force-refresh' tries at once"
}

// forWorkload puts what concerns a person into words for a session without
// one: nobody has to sign in, but the client has to be let in.
func (a *attempt) forWorkload(e *Error, act offline.Action, f offline.Failure, token string) {
	m := a.m
	switch act.Cause {
	case offline.CauseNoSession:
		e.Message = "profile " + m.profile + " is signed out"
		e.Hint = "'oidc-cred login --profile " + m.profile + "' signs in again"
	case offline.CauseRejected:
		e.Message = fmt.Sprintf("the provider refused the client of profile %s (%s)", m.profile, f.Detail)
		if f.Step == offline.StepIDToken {
			e.Message = fmt.Sprintf("the new ID token of profile %s is not valid (%s)", m.profile, strings.TrimPrefix(f.Detail, "ID token: "))
		}
		if act.Verb == offline.SignOut {
			e.Message += "; its session" + a.removal()
		}
		e.Hint = cmp.Or(a.hint, m.codeHint(f.Code, f.Detail), m.checkWorkload())
	case offline.CauseLimitPassed:
		if act.Verb == offline.SignOut {
			e.Hint = "nobody has to sign in: the next call asks for a new token"
		}
	case offline.CauseNotRenewed:
		e.Message = fmt.Sprintf("the grant %s brought no %s for profile %s", m.workload.Grant, token, m.profile)
		e.Hint = "ask for the access token"
		if m.workload.Grant == GrantTokenExchange {
			e.Hint = "set requested_token_type of profile " + m.profile + " to id_token"
		}
	case offline.CauseNoToken, offline.CauseOfflineOff:
		// It may be somebody else's fault: who gives out the subject token.
		e.Message = strings.Replace(e.Message, "the provider of profile "+m.profile+" can't be reached", "profile "+m.profile+" can't get a new token", 1)
		if f.Step == offline.StepSubjectToken {
			e.Hint = cmp.Or(a.hint, m.subjectHint(f))
		}
	}
}

// subjectHint says what to do about a source of subject tokens that gives none:
// wait, where it is down or out of reach, else look at it.
func (m *Manager) subjectHint(f offline.Failure) string {
	switch f.Category {
	case offline.NetworkUnavailable, offline.NetworkTimeout, offline.ServerError, offline.TLSError, offline.NotTheProvider:
		return cmp.Or(f.Advice, "try again later: the source of the subject token of profile "+m.profile+" can't be reached, or is in trouble")
	}
	return m.checkSubject()
}

// checkSubject says what to look at when the subject token can't be had.
func (m *Manager) checkSubject() string {
	return "check the source of the subject token of profile " + m.profile
}

// checkWorkload says what to look at when the provider says no to a client.
func (m *Manager) checkWorkload() string {
	if m.workload.Grant == GrantClientCredentials {
		return "check client_id, the client's credentials and scopes of profile " + m.profile + ", and that the provider allows this client the grant " + m.workload.Grant
	}
	return "check the subject token of profile " + m.profile + " (its issuer, audience, subject and age), client_id and the client's credentials, and that the provider trusts them for the grant " + m.workload.Grant
}

// checkClient says what to look at when the provider says no to a person's
// client.
func (m *Manager) checkClient() string {
	what := "client_id, redirect and scopes of profile " + m.profile
	switch {
	case m.flow.ClientKey != nil:
		return "check client_key_file, client_key_id and client_assertion_audience (some providers want token_endpoint), " + what
	case m.flow.ClientSecret != nil:
		return "check the client secret, " + what + "; some providers take a secret with special characters only with token_endpoint_auth_method client_secret_post"
	case m.flow.MutualTLS:
		return "check client_certificate_file, " + what
	}
	return "check " + what + ", and whether the provider has this client as one with a secret"
}

// removal says what became of removing the session. Where only the keychain
// failed, its file is gone and the session with it.
func (a *attempt) removal() string {
	var keychain *cache.KeychainError
	switch {
	case a.notRemoved == nil:
		return " has been removed"
	case errors.As(a.notRemoved, &keychain):
		return " has been removed: " + a.notRemoved.Error()
	default:
		return " could not be removed: " + a.notRemoved.Error()
	}
}

// expired goes by the time that the decision goes by.
func (a *attempt) expired() bool {
	if a.rec == nil {
		return false
	}
	now, _ := a.rec.State.EffectiveNow(a.m.now())
	expiry := a.rec.held(a.kind).Expiry
	return !expiry.IsZero() && !now.Before(expiry)
}

func (a *attempt) without() string {
	if a.rec == nil || a.rec.State.LastSync.IsZero() {
		return "an unknown time"
	}
	now, _ := a.rec.State.EffectiveNow(a.m.now())
	return offline.Short(now.Sub(a.rec.State.LastSync))
}

// whyOffline is the last failure in parentheses, and, if it was not just now,
// the next try.
func (a *attempt) whyOffline(f offline.Failure) string {
	var parts []string
	if detail := cmp.Or(f.Detail, a.stateNow().LastError); detail != "" {
		parts = append(parts, detail)
	}
	if a.busy {
		parts = append(parts, "another oidc-cred is renewing the session and does not finish")
	} else if wait := a.stateNow().NextRetry.Sub(a.m.now()); wait > 0 && f.Category == "" {
		parts = append(parts, "next try in "+offline.Short(wait.Round(time.Second)))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}
