package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// moduleRegistry is Terraform's module registry protocol, with one module.
func moduleRegistry(t *testing.T) http.Handler {
	t.Helper()
	archive := tarball(t, "main.tf", "output \"greeting\" {\n  value = \"hello from the registry\"\n}\n")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/terraform.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"modules.v1":"/modules/"}`)
	})
	mux.HandleFunc("GET /modules/team/hello/null/versions", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"modules":[{"versions":[{"version":"1.0.0"}]}]}`)
	})
	mux.HandleFunc("GET /modules/team/hello/null/1.0.0/download", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Terraform-Get", "/files/hello.tar.gz")
		w.WriteHeader(http.StatusNoContent)
	})
	// Terraform sends no token for the archive: a registry signs its address.
	mux.HandleFunc("GET /files/hello.tar.gz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	return mux
}

// terraformer is a person with Terraform set up for a registry.
type terraformer struct {
	*packager
	program, home string
}

func newTerraformer(t *testing.T, o harness.ProviderOptions, more string) *terraformer {
	t.Helper()
	program := testenv.Program(t, "terraform")
	c := &terraformer{packager: newPackager(t, o, more), program: program}
	c.server = newTokenServer(t, c.provider, `Bearer realm="registry"`, moduleRegistry(t), "/.well-known/", "/files/")
	c.home = filepath.Dir(c.Home)
	c.Set("SSL_CERT_FILE", c.server.cert.CAFile)
	c.Set("CHECKPOINT_DISABLE", "1")
	c.Set("TF_IN_AUTOMATION", "1")
	c.OK(t, "setup", "terraform", c.server.Host)
	return c
}

// init runs 'terraform init' in a new folder.
func (c *terraformer) init(t *testing.T, host string) harness.Result {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("module \"hello\" {\n  source  = \"%s/team/hello/null\"\n  version = \"1.0.0\"\n}\n", host)
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return c.Program(t, harness.Input{Dir: dir}, c.program, "init", "-input=false", "-no-color")
}

func TestTerraform(t *testing.T) {
	c := newTerraformer(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	c.ok(t, c.init(t, c.server.Host))
	taken, refused, last := c.server.seen()
	if taken == 0 || refused != 0 || last != token.Token {
		t.Errorf("%d requests with the token, %d refused", taken, refused)
	}

	// The same server by another name, which no profile has.
	other := "other.example.com"
	services := "\nhost \"" + other + "\" {\n  services = { \"modules.v1\" = \"https://" + c.server.Host + "/modules/\" }\n}\n"
	file := filepath.Join(c.home, ".terraformrc")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(config, services...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.init(t, other); r.Code == 0 {
		t.Errorf("a host that is not mapped was let in: %s", r.Stdout)
	}
	if again, refused, _ := c.server.seen(); again != taken || refused != 0 {
		t.Errorf("the token went to a host that is not mapped (%d requests more)", again-taken)
	}

	// Nothing of it is in Terraform's files.
	noSecretsInClear(t, c.home, token.Token)
}

func TestTerraformExpiry(t *testing.T) {
	c := newTerraformer(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, offlineEnabled)
	token, _ := c.Token(t)
	waitPast(t, token)
	c.ok(t, c.init(t, c.server.Host))
	if _, refused, last := c.server.seen(); last == token.Token || refused != 0 {
		t.Errorf("the expired token was sent (%d refused)", refused)
	}

	// Offline with an expired token, at a registry that takes it and at one that
	// does not.
	token, _ = c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	c.server.set(func(s *tokenServer) { s.lenient = true })
	c.ok(t, c.init(t, c.server.Host))
	c.server.set(func(s *tokenServer) { s.lenient = false })
	if r := c.init(t, c.server.Host); r.Code == 0 {
		t.Error("the registry took an expired token")
	}
}

// Terraform goes on without a token where the helper fails, and has the reason
// in its log alone.
func TestTerraformNoToken(t *testing.T) {
	c := newTerraformer(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "")
	c.Set("TF_LOG", "WARN")
	token, _ := c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	if r := c.init(t, c.server.Host); r.Code == 0 || !strings.Contains(r.Stderr, "401 Unauthorized") || !strings.Contains(r.Stderr, "can't be reached") {
		t.Errorf("offline mode is off: exit %d, %s", r.Code, r.Stderr)
	}
	c.provider.Up(t)
	c.OK(t, "logout")
	if r := c.init(t, c.server.Host); r.Code == 0 || !strings.Contains(r.Stderr, "oidc-cred login --profile work") {
		t.Errorf("signed out: exit %d, %s", r.Code, r.Stderr)
	}
	if taken, refused, _ := c.server.seen(); taken != 0 || refused != 0 {
		t.Errorf("%d requests with a token", taken+refused)
	}
}

// 'terraform login' and 'terraform logout' must not look as if they had kept or
// ended anything.
func TestTerraformLoginLogout(t *testing.T) {
	c := newTerraformer(t, harness.ProviderOptions{}, "")
	r := c.Program(t, harness.Input{Dir: t.TempDir()}, c.program, "logout", "-no-color", c.server.Host)
	if r.Code == 0 || !strings.Contains(strings.Join(strings.Fields(r.Stderr), " "), "'oidc-cred logout --profile work'") {
		t.Errorf("logout: exit %d, %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
	r = c.Program(t, harness.Input{Stdin: `{"token":"someone's"}`}, filepath.Join(c.home, ".terraform.d", "plugins", "terraform-credentials-oidc-cred"), "store", c.server.Host)
	if r.Code != 2 || r.Stdout != "" || !strings.Contains(r.Stderr, "no 'terraform login' is needed") {
		t.Errorf("store: exit %d, %q, %q", r.Code, r.Stdout, r.Stderr)
	}
	r = c.Program(t, harness.Input{}, filepath.Join(c.home, ".terraform.d", "plugins", "terraform-credentials-oidc-cred"), "get", "other.example.com")
	if r.Code != 0 || strings.TrimSpace(r.Stdout) != "{}" || r.Stderr != "" {
		t.Errorf("get for another host: exit %d, %q, %q", r.Code, r.Stdout, r.Stderr)
	}
}

func TestTerraformSetupTwiceAndBack(t *testing.T) {
	c := newTerraformer(t, harness.ProviderOptions{}, "")
	file := filepath.Join(c.home, ".terraformrc")
	once, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.OK(t, "setup", "terraform", c.server.Host)
	if twice, err := os.ReadFile(file); err != nil || string(twice) != string(once) {
		t.Errorf("setup twice: %v\n%s", err, twice)
	}
	// A token of Terraform's own comes first, and is pointed at.
	own, err := json.Marshal(map[string]any{"credentials": map[string]any{c.server.Host: map[string]string{"token": "old"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.home, ".terraform.d", "credentials.tfrc.json"), own, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.OK(t, "setup", "terraform", c.server.Host); !strings.Contains(r.Stdout, "credentials.tfrc.json has a token for "+c.server.Host) {
		t.Errorf("setup beside a token of Terraform's: %q", r.Stdout)
	}
	c.OK(t, "setup", "terraform", c.server.Host, "--remove")
	if left, err := os.ReadFile(file); !errors.Is(err, fs.ErrNotExist) { // setup had made it
		t.Errorf("left after --remove: %v\n%s", err, left)
	}
	if _, err := os.Lstat(filepath.Join(c.home, ".terraform.d", "plugins", "terraform-credentials-oidc-cred")); err == nil {
		t.Error("the link is left after --remove")
	}
}
