package session

import (
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// advice is what usually brings a refresh token, by what was asked for and what
// the provider says about itself, the likeliest first.
func (m *Manager) advice(md *oidcflow.Metadata) (sentences []string) {
	const scope = "offline_access" // OpenID Connect Core §11
	asked := slices.Contains(m.flow.Scopes, scope)
	lists := slices.Contains(md.ScopesSupported, scope)
	consent := slices.Contains(strings.Fields(m.flow.AuthParams["prompt"]), "consent")
	add := func(s string) { sentences = append(sentences, s) }
	switch {
	case !asked && lists:
		add("add the scope offline_access: the provider lists it, and it was not asked for")
	case !asked && len(md.ScopesSupported) == 0:
		add("add the scope offline_access: most providers give a refresh token for it, and it was not asked for")
	case !asked:
		add("the scope offline_access was not asked for, and the provider does not list it")
	case !lists && len(md.ScopesSupported) > 0:
		add("the provider does not list the scope offline_access, which was asked for")
	}
	switch {
	case m.flow.Issuer == "https://accounts.google.com":
		// Google has no offline_access, but a parameter of its own.
		add("sign in with --auth-param access_type=offline --auth-param prompt=consent, which Google wants for a refresh token")
	case !consent:
		add("sign in with --auth-param prompt=consent: a provider may ignore offline_access without it")
	}
	if len(md.GrantTypesSupported) > 0 && !slices.Contains(md.GrantTypesSupported, "refresh_token") {
		add("the provider does not list the grant refresh_token, so it may give refresh tokens to nobody")
	} else {
		add("allow the grant refresh_token in the client's settings at the provider")
	}
	return sentences
}
