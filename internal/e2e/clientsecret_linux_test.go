package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

const robotSecret = "the-secret-of-the-robot"

// robot is the home with another provider, where the client's secret is to lie
// in the home's credential store.
func robot(t *testing.T, h *home) *home {
	t.Helper()
	p := newProvider(t, oidctest.Options{Clients: []oidctest.Client{{ID: "robot", Secret: robotSecret}}})
	h = h.with("OIDC_CRED_ISSUER="+p.Issuer(), "OIDC_CRED_CLIENT_ID=robot", "OIDC_CRED_CLIENT_SECRET_KEYCHAIN=true")
	h.provider = p
	return h
}

// secretStory is the life of a client secret in a store that works.
func secretStory(t *testing.T, h *home) {
	t.Helper()
	h = robot(t, h)
	if r := h.run("login").fails(2); !strings.Contains(r.stderr, "login --profile work --client-secret-keychain") {
		t.Errorf("the hint does not say how to give the secret:\n%s", r.stderr)
	}
	h.startWith(robotSecret+"\n", "login", "--client-secret-keychain").wait().exits(0)
	h.token("--force-refresh")
	h.run("logout").exits(0)
	h.login() // the secret outlives the session
	h.token("--force-refresh")
	_ = filepath.WalkDir(h.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), robotSecret) {
				t.Errorf("the secret stands in %s", path)
			}
		}
		return nil
	})
	h.run("profile", "remove", "work").exits(0)
	h.run("login", "-p", "work").fails(2) // and goes with the profile
}

func TestClientSecretInSecretService(t *testing.T) {
	t.Parallel()
	s := testenv.SecretService(t)
	h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
	r := robot(t, h)
	r.startWith(robotSecret+"\n", "login", "--client-secret-keychain").wait().exits(0)
	s.Lock(t)
	r.run("token", "--force-refresh").fails(5).quick(storeLimit)
	r.run("login").fails(5).quick(2 * storeLimit)

	other := testenv.SecretService(t)
	h = inStore(t, newProvider(t, oidctest.Options{}), "secret-service", other.Env()...)
	secretStory(t, h)
}

func TestClientSecretInFile(t *testing.T) {
	t.Parallel()
	secretStory(t, newHome(t, newProvider(t, oidctest.Options{})).with("OIDC_CRED_STORE=file"))
}
