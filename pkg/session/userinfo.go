package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// readUserInfo reads the user's claims and says whether they are up to date.
// Whatever the endpoint answers, the token stays usable.
func (m *Manager) readUserInfo(ctx context.Context, md *oidcflow.Metadata, rec *record) bool {
	access := &oidcflow.Tokens{
		Access: oidcflow.NewSecret(rec.Access.Value), TokenType: rec.TokenType, DPoPKey: oidcflow.NewSecret(rec.DPoPKey),
	}
	claims, err := m.flowFor(rec).UserInfoFor(ctx, md, access, rec.Subject)
	if err != nil {
		return m.forAnotherAPI(err)
	}
	rec.takeUserInfo(claims)
	return true
}

// forAnotherAPI: a token that was asked for with an audience or a resource
// (RFC 8707), or with a scope that is an API's address as Microsoft has them,
// is that API's, and the userinfo endpoint is right to refuse it. The claims
// are then those of the ID token, and nothing is out of date.
func (m *Manager) forAnotherAPI(err error) bool {
	address := func(scope string) bool { return strings.Contains(scope, "://") }
	if m.flow.Audience == "" && len(m.flow.Resources) == 0 && !slices.ContainsFunc(m.flow.Scopes, address) {
		return false
	}
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		return false
	}
	return answer.Response.StatusCode == http.StatusUnauthorized || answer.Response.StatusCode == http.StatusForbidden
}

// takeUserInfo keeps the user's claims, OpenID Connect Core §5.3.2.
func (r *record) takeUserInfo(claims []byte) {
	r.UserInfo = claims
	if name := usernameIn(claims); name != "" {
		r.Username = name
	}
}

// usernameIn picks the claim that a person knows the account by, from claims
// of OpenID Connect Core §5.1.
func usernameIn(claims []byte) string {
	var c struct {
		PreferredUsername any `json:"preferred_username"`
		Email             any `json:"email"`
		Name              any `json:"name"`
	}
	if json.Unmarshal(claims, &c) != nil {
		return ""
	}
	for _, claim := range []any{c.PreferredUsername, c.Email, c.Name} {
		if text, ok := claim.(string); ok && text != "" {
			return text
		}
	}
	return ""
}
