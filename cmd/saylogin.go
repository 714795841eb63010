package cmd

import (
	"slices"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// sayLogin says who signed in, and what is worth knowing about it.
func (a *app) sayLogin(p *profile, l *session.Login, before *session.Status) {
	if l.Grant != "" {
		a.say("Signed in as client %s at %s (profile %s, grant %s).", oneLine(p.text("client_id")), hostOf(l.Issuer), l.Profile, p.text("grant"))
	} else {
		who := firstOf(personOf(l.Username, l.Subject), "(the provider did not say who)")
		a.say("Signed in as %s at %s (profile %s).", who, hostOf(l.Issuer), l.Profile)
	}
	if before.Token != nil && before.Subject != "" && before.Subject != l.Subject {
		a.say("The former session of %s has been replaced.", personOf(before.Username, before.Subject))
	}
	now := a.now()
	if end := l.RefreshExpiry; end.After(now) {
		a.say("The provider lets the sign-in last until %s (%s) unless it is renewed before.", clock(end, now), strings.TrimSpace(inTime(end, now)))
	}
	missing := l.Missing
	if !l.Refreshable {
		// What the other warning says already.
		missing = slices.DeleteFunc(slices.Clone(missing), func(scope string) bool { return scope == "offline_access" })
		text := "the provider gave no refresh token, so the sign-in ends when the token expires" + inTime(l.Expiry, now)
		if len(l.Advice) > 0 {
			text += "; what usually brings one: " + strings.Join(l.Advice, "; ")
		}
		a.warnf("no_refresh_token", "%s", text)
	}
	if len(missing) > 0 {
		a.warnf("scopes_not_granted", "the provider did not grant: %s", strings.Join(missing, " "))
	}
	if l.StaleUserInfo {
		a.warnf(string(offline.WarnStaleUserInfo), "the user's details could not be read")
	}
}

// warnBound says which tools have no use for a token that is bound to a key.
func (a *app) warnBound(p *profile) {
	advice := "; ask the provider for a client that need not use DPoP"
	if p.text("dpop") == "always" {
		advice = "; dpop: auto asks for a token that is not bound, where the provider allows one"
	}
	a.warnf("dpop_bound_token", "the provider bound the access token to a key that stays with this session (DPoP, RFC 9449), so git, curl and other tools that only pass it on are refused; the ID token, which kubectl gets, is not bound%s", advice)
}

// inTime says when, relative to now: " in 2 hours"; nothing if it is unknown.
func inTime(t, now time.Time) string {
	if t.IsZero() || !t.After(now) {
		return ""
	}
	return " in " + offline.Short(t.Sub(now))
}

// personOf names a person in the provider's words, fit to be shown.
func personOf(names ...string) string { return oidcflow.Clean(firstOf(names...)) }

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
