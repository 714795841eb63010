package session_test

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// A token that is for another API is refused at the userinfo endpoint, and
// rightly so: nothing is out of date then.
func TestTokenForAnotherAPI(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*oidcflow.Client)
		status int
		stale  bool
	}{
		"nothing says so":    {func(*oidcflow.Client) {}, 401, true},
		"audience":           {func(c *oidcflow.Client) { c.Audience = "https://api.example.com" }, 401, false},
		"resource":           {func(c *oidcflow.Client) { c.Resources = []string{"https://api.example.com"} }, 403, false},
		"a scope's address":  {func(c *oidcflow.Client) { c.Scopes = append(c.Scopes, "api://1234/cli") }, 401, false},
		"and still an error": {func(c *oidcflow.Client) { c.Audience = "https://api.example.com" }, 500, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, oidctest.Settings{})
			w.flow = tc.change
			w.provider.Set(oidctest.UserInfoEndpoint, oidctest.Status(tc.status))
			if l := w.login(); l.StaleUserInfo != tc.stale {
				t.Errorf("stale is %t", l.StaleUserInfo)
			}
		})
	}
}
