package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	vaultapi "github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// fakeVault has the JWT auth method, mounted at "corp", and looks its tokens
// up.
type fakeVault struct {
	*httptest.Server
	cert     *harness.Certificate
	verifier *oidc.IDTokenVerifier

	mu     sync.Mutex
	life   time.Duration
	sealed bool
	tokens map[string]string // token to display name
	logins int
}

func newFakeVault(t *testing.T, p *harness.Provider) *fakeVault {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	v := &fakeVault{
		cert: harness.NewCertificate(t), verifier: provider.Verifier(&oidc.Config{ClientID: harness.ClientID}),
		life: time.Hour, tokens: map[string]string{"hvs.root": "root"},
	}
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(v.serve))
	v.TLS = &tls.Config{Certificates: []tls.Certificate{v.cert.TLS}, MinVersion: tls.VersionTLS12}
	v.StartTLS()
	t.Cleanup(v.Close)
	return v
}

func (v *fakeVault) set(change func(*fakeVault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

func (v *fakeVault) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	answer := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	errs := func(status int, text string) { answer(status, map[string]any{"errors": []string{text}}) }
	switch {
	case v.sealed:
		errs(http.StatusServiceUnavailable, "Vault is sealed")
	case strings.TrimSuffix(r.Header.Get("X-Vault-Namespace"), "/") != "team":
		errs(http.StatusNotFound, "no handler for route")
	case r.URL.Path == "/v1/auth/token/lookup-self":
		name, ok := v.tokens[r.Header.Get("X-Vault-Token")]
		if !ok {
			errs(http.StatusForbidden, "permission denied")
			return
		}
		answer(http.StatusOK, map[string]any{"data": map[string]any{"display_name": name, "ttl": int(v.life / time.Second)}})
	case r.URL.Path == "/v1/auth/corp/login" && r.Method == http.MethodPost:
		v.logins++
		var in struct{ Role, JWT string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Role != "dev" {
			errs(http.StatusBadRequest, fmt.Sprintf("role %q could not be found", in.Role))
			return
		}
		token, err := v.verifier.Verify(r.Context(), in.JWT)
		if err != nil {
			errs(http.StatusBadRequest, "error validating token: "+err.Error())
			return
		}
		value := fmt.Sprintf("hvs.login%d", v.logins)
		v.tokens[value] = "corp-" + token.Subject
		answer(http.StatusOK, map[string]any{"auth": map[string]any{"client_token": value, "lease_duration": int(v.life / time.Second), "renewable": true}})
	default:
		errs(http.StatusNotFound, "no handler for route")
	}
}

// vaultCommand is what the vault command does at its start, with the packages
// that it is made of: the token of the helper that ~/.vault names.
func vaultCommand(t *testing.T, c *harness.CLI) (*vaultapi.Client, error) {
	t.Helper()
	for _, entry := range c.Env {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	client, err := vaultapi.NewClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		t.Fatal(err)
	}
	token, err := helper.Get()
	if err != nil {
		return nil, err
	}
	client.SetToken(token)
	return client, nil
}

// vaultName is who the vault command is.
func vaultName(t *testing.T, c *harness.CLI) (string, error) {
	t.Helper()
	client, err := vaultCommand(t, c)
	if err != nil {
		return "", err
	}
	secret, err := client.Auth().Token().LookupSelf()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(secret.Data["display_name"]), nil
}

func newVaultUser(t *testing.T, role string) (*harness.CLI, *harness.Provider, *fakeVault) {
	t.Helper()
	p := harness.StartProvider(t, harness.ProviderOptions{})
	v := newFakeVault(t, p)
	c := harness.NewCLI(t, "VAULT_ADDR="+v.URL, "VAULT_NAMESPACE=team", "VAULT_CACERT="+v.cert.CAFile, "VAULT_TOKEN=")
	dir := t.TempDir()
	c.Set("VAULT_CONFIG_PATH", filepath.Join(dir, "vault"))
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	c.OK(t, "setup", "vault", v.URL, "--role", role, "--mount", "corp", "--bin-dir", dir)
	return c, p, v
}

func TestVault(t *testing.T) {
	c, p, v := newVaultUser(t, "dev")
	for range 2 {
		if name, err := vaultName(t, c); err != nil || !strings.HasPrefix(name, "corp-") {
			t.Fatalf("vault is %q, %v", name, err)
		}
	}
	if v.logins != 1 {
		t.Errorf("%d logins for two calls", v.logins)
	}
	t.Run("login", func(t *testing.T) {
		if _, err := vaultCommand(t, c); err != nil {
			t.Fatal(err)
		}
		helper, err := cliconfig.DefaultTokenHelper()
		if err != nil {
			t.Fatal(err)
		}
		if err := helper.Store("hvs.root"); err != nil {
			t.Fatal(err)
		}
		if name, err := vaultName(t, c); err != nil || name != "root" {
			t.Errorf("after a login vault is %q, %v", name, err)
		}
		if err := helper.Erase(); err != nil {
			t.Fatal(err)
		}
		if name, err := vaultName(t, c); err != nil || !strings.HasPrefix(name, "corp-") {
			t.Errorf("after erase vault is %q, %v", name, err)
		}
	})
	t.Run("outage", func(t *testing.T) {
		p.Down(t)
		defer p.Up(t)
		if name, err := vaultName(t, c); err != nil || !strings.HasPrefix(name, "corp-") {
			t.Errorf("vault is %q, %v", name, err)
		}
		v.set(func(v *fakeVault) { v.sealed = true })
		defer v.set(func(v *fakeVault) { v.sealed = false })
		c.OK(t, "helper", "vault", "get")
		c.OK(t, "helper", "vault", "erase")
		r := c.Fails(t, 4, "helper", "vault", "get")
		if !strings.Contains(r.Stderr, "HTTP 503") {
			t.Errorf("stderr %q", r.Stderr)
		}
	})
	t.Run("another server", func(t *testing.T) {
		c.Set("VAULT_ADDR", "https://vault.example.com")
		if r := c.OK(t, "helper", "vault", "get"); r.Stdout != "" {
			t.Errorf("it gets %q", r.Stdout)
		}
		c.Fails(t, 2, "helper", "vault", "store")
	})
}

func TestVaultRefuses(t *testing.T) {
	c, _, _ := newVaultUser(t, "ops")
	_, err := vaultName(t, c)
	if err == nil || !strings.Contains(err.Error(), `role \\\"ops\\\" could not be found`) && !strings.Contains(err.Error(), "could not be found") {
		t.Errorf("vault: %v", err)
	}
	c.OK(t, "setup", "vault", "--role", "dev")
	if name, err := vaultName(t, c); err != nil || !strings.HasPrefix(name, "corp-") {
		t.Errorf("vault is %q, %v", name, err)
	}
	c.OK(t, "setup", "vault", "--remove")
	if data := c.OK(t, "profile", "show"); strings.Contains(data.Stdout, "vault_role: dev") {
		t.Errorf("profile:\n%s", data.Stdout)
	}
}
