package session

import (
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// WarnScopesReduced says that a renewal brought a token with fewer scopes than
// the former one had.
const WarnScopesReduced offline.WarningType = "scopes_reduced"

// missing are the scopes that the answer does not grant, of those that were
// asked for or had. A scope whose effect is there is not missing, whether the
// provider repeats its name or not: several don't.
func missing(scopes []string, t *oidcflow.Tokens, refreshable bool) (names []string) {
	if t.Scopes == nil { // as asked for, RFC 6749 §5.1
		return nil
	}
	for _, scope := range scopes {
		switch {
		case slices.Contains(t.Scopes, scope), slices.Contains(t.Scopes, sameScope(scope)):
		case scope == "openid" && !t.ID.IsZero(), scope == "offline_access" && refreshable:
		case strings.HasSuffix(scope, "/.default"):
			// At Microsoft's, which answers with the scopes that it stands for.
		default:
			names = append(names, scope)
		}
	}
	return names
}

// sameScope is the other name that Google has for a scope, with which it
// answers.
func sameScope(scope string) string {
	const google = "https://www.googleapis.com/auth/userinfo."
	switch scope {
	case "email", "profile":
		return google + scope
	case google + "email", google + "profile":
		return strings.TrimPrefix(scope, google)
	}
	return scope
}

// scopesReduced is the warning that scopes are gone.
func scopesReduced(gone []string) offline.Warning {
	return offline.Warning{
		Type:    WarnScopesReduced,
		Message: "the provider renewed the token with fewer scopes than before, without " + oidcflow.Clean(strings.Join(gone, " ")),
	}
}
