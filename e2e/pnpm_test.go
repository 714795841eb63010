package e2e

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// npmRegistry is as much of npm's registry API as an install needs, with one
// package.
func npmRegistry(t *testing.T) http.Handler {
	t.Helper()
	archive := tarball(t, "package/package.json", `{"name":"hello","version":"1.0.0"}`)
	sum := sha512.Sum512(archive)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": "hello", "dist-tags": map[string]string{"latest": "1.0.0"},
			"time": map[string]string{"created": "2020-01-01T00:00:00.000Z", "modified": "2020-01-01T00:00:00.000Z", "1.0.0": "2020-01-01T00:00:00.000Z"},
			"versions": map[string]any{"1.0.0": map[string]any{
				"name": "hello", "version": "1.0.0",
				"dist": map[string]string{"tarball": "https://" + r.Host + "/hello/-/hello-1.0.0.tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:])},
			}},
		})
	})
	mux.HandleFunc("GET /hello/-/hello-1.0.0.tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	return mux
}

// noder is a person with a package manager for a registry.
type noder struct {
	*packager
	npmrc string
}

func newNoder(t *testing.T, o harness.ProviderOptions, more string) *noder {
	t.Helper()
	c := &noder{packager: newPackager(t, o, more)}
	c.server = newTokenServer(t, c.provider, `Bearer realm="registry"`, npmRegistry(t))
	c.npmrc = filepath.Join(filepath.Dir(c.Home), ".npmrc")
	settings := "cafile=" + c.server.cert.CAFile + "\nupdate-notifier=false\nfetch-retries=0\n"
	if err := os.WriteFile(c.npmrc, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// pnpms are pnpm of three generations: 9 runs the helper with a shell, 12 is
// not written in JavaScript.
func pnpms(t *testing.T) map[string][]string {
	t.Helper()
	dir := filepath.Join(harness.NodeModules(t, "clients"), "node_modules")
	node := testenv.Program(t, "node")
	return map[string][]string{
		"9":  {node, filepath.Join(dir, "pnpm9", "bin", "pnpm.cjs"), "--store-dir=.store"},
		"10": {node, filepath.Join(dir, "pnpm10", "bin", "pnpm.cjs"), "--store-dir=.store"},
		"12": {node, filepath.Join(dir, "pnpm12", "bin", "pnpm.mjs"), "--store-dir=.store"},
	}
}

// install adds the package to a new project, which has a store of its own.
func (c *noder) install(t *testing.T, program []string, host string) harness.Result {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"project","version":"1.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte("registry=https://"+host+"/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.Program(t, harness.Input{Dir: dir}, program[0], slices.Concat(program[1:], []string{"add", "hello"})...)
	if r.Code == 0 {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "hello", "package.json")); err != nil {
			t.Errorf("nothing is installed: %v\n%s", err, r.Stdout)
		}
	}
	return r
}

func TestPnpm(t *testing.T) {
	for version, pnpm := range pnpms(t) {
		t.Run(version, func(t *testing.T) {
			c := newNoder(t, harness.ProviderOptions{}, "")
			c.OK(t, "setup", "pnpm", c.server.Host)
			token, _ := c.Token(t)
			c.ok(t, c.install(t, pnpm, c.server.Host))
			taken, refused, last := c.server.seen()
			if taken < 2 || refused != 0 || last != token.Token {
				t.Errorf("%d requests with the token, %d refused", taken, refused)
			}

			// The same server by another name, which no profile has.
			other := strings.Replace(c.server.Host, "127.0.0.1", "localhost", 1)
			if r := c.install(t, pnpm, other); r.Code == 0 {
				t.Errorf("a host that is not mapped was let in: %s", r.Stdout)
			}
			// Nor does it get the token if somebody adds it to the file alone.
			file, err := os.ReadFile(c.npmrc)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.npmrc, []byte(strings.ReplaceAll(string(file), c.server.Host, other)), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := c.install(t, pnpm, other); r.Code == 0 {
				t.Errorf("a host that is not mapped was let in: %s", r.Stdout)
			}
			if again, refused, _ := c.server.seen(); again != taken || refused != 0 {
				t.Error("the token went to a host that is not mapped")
			}
			noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
		})
	}
}

func TestPnpmExpiry(t *testing.T) {
	all := pnpms(t)
	for _, version := range []string{"10", "12"} {
		pnpm := all[version]
		t.Run(version, func(t *testing.T) {
			c := newNoder(t, harness.ProviderOptions{AccessTTL: 5 * time.Second}, offlineEnabled)
			c.OK(t, "setup", "pnpm", c.server.Host)
			token, _ := c.Token(t)
			waitPast(t, token)
			c.ok(t, c.install(t, pnpm, c.server.Host))
			if _, refused, last := c.server.seen(); last == token.Token || refused != 0 {
				t.Errorf("the expired token was sent (%d refused)", refused)
			}

			token, _ = c.Token(t)
			c.provider.Down(t)
			waitPast(t, token)
			c.server.set(func(s *tokenServer) { s.lenient = true })
			c.ok(t, c.install(t, pnpm, c.server.Host))
			if _, _, last := c.server.seen(); last != token.Token {
				t.Error("another token")
			}
			c.provider.Up(t)
			c.OK(t, "logout")
			if r := c.install(t, pnpm, c.server.Host); r.Code == 0 {
				t.Errorf("signed out, and let in: %s", r.Stdout)
			}
		})
	}
}

// npm has no helpers: the token comes in its environment.
func TestNpm(t *testing.T) {
	c := newNoder(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	settings, err := os.ReadFile(c.npmrc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.npmrc, append(settings, "//"+c.server.Host+"/:_authToken=${NODE_AUTH_TOKEN}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	npm := testenv.Program(t, "npm")
	c.ok(t, c.install(t, []string{harness.Binary, "exec", "--env", "NODE_AUTH_TOKEN", "--", npm}, c.server.Host))
	taken, refused, last := c.server.seen()
	if taken < 2 || refused != 0 || last != token.Token {
		t.Errorf("%d requests with the token, %d refused", taken, refused)
	}
	noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
}

func TestPnpmSetupTwiceAndBack(t *testing.T) {
	c := newNoder(t, harness.ProviderOptions{}, "")
	before := "; mine\nfund=false\n\n//other.example.com/:_authToken=x\n"
	if err := os.WriteFile(c.npmrc, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	c.OK(t, "setup", "pnpm", c.server.Host)
	once, err := os.ReadFile(c.npmrc)
	if err != nil || !strings.HasPrefix(string(once), before) {
		t.Errorf("%v\n%s", err, once)
	}
	// npm reads the file too, and must not stumble over it (npm 11 warns).
	r := c.Program(t, harness.Input{Dir: t.TempDir()}, testenv.Program(t, "npm"), "config", "get", "fund")
	if r.Code != 0 || strings.TrimSpace(r.Stdout) != "false" {
		t.Errorf("npm: %q %q", r.Stdout, r.Stderr)
	}
	c.OK(t, "setup", "pnpm", c.server.Host)
	if twice, err := os.ReadFile(c.npmrc); err != nil || string(twice) != string(once) {
		t.Errorf("setup twice: %v\n%s", err, twice)
	}
	c.OK(t, "setup", "pnpm", c.server.Host, "--remove")
	if left, err := os.ReadFile(c.npmrc); err != nil || string(left) != before {
		t.Errorf("left after --remove: %v\n%s", err, left)
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(harness.Binary), "oidc-cred-pnpm@work")); err == nil {
		t.Error("the link is left after --remove")
	}
}
