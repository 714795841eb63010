package e2e

import (
	"archive/zip"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// goModule is what the mirror has, in one version.
const goModule = "corp.test/greet"

// goMirror is a module mirror with one module ("go help goproxy").
func goMirror(t *testing.T) http.Handler {
	t.Helper()
	const mod = "module " + goModule + "\n\ngo 1.21\n"
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"go.mod": mod, "greet.go": "package greet\n\nfunc Greet() string { return \"hello\" }\n"} {
		w, err := z.Create(goModule + "@v1.0.0/" + name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"list": "v1.0.0\n", "v1.0.0.info": `{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}`,
		"v1.0.0.mod": mod, "v1.0.0.zip": archive.String(),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := files[strings.TrimPrefix(r.URL.Path, "/mirror/"+goModule+"/@v/")]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	})
}

// gopher is a person with a signed-in program and go set up for a private
// module mirror.
type gopher struct {
	*harness.CLI
	provider *harness.Provider
	server   *gate
	dir      string
}

func newGopher(t *testing.T, o harness.ProviderOptions, more string) *gopher {
	t.Helper()
	program := testenv.Program(t, "go")
	cache, err := exec.CommandContext(t.Context(), program, "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &gopher{CLI: harness.NewCLI(t), provider: harness.StartProvider(t, o), dir: t.TempDir()}
	c.server = newGate(t, c.provider, true, goMirror(t))
	c.Set("SSL_CERT_FILE", c.server.cert.CAFile)
	c.Set("GOCACHE", strings.TrimSpace(string(cache)))
	for name, value := range map[string]string{
		"GOPATH": filepath.Join(c.dir, "gopath"), "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local",
		"GOPROXY": c.server.URL + "/mirror", "GONOSUMDB": "corp.test", "GOSUMDB": "off", "GOAUTH": "", "GOENV": "",
	} {
		c.Set(name, value)
	}
	c.Config(t, profile(c.provider, "    resources: ["+gateAudience+"]\n"+more))
	signIn(t, c.CLI, harness.BrowserOptions{})
	for name, text := range map[string]string{
		"go.mod":  "module program\n\ngo 1.21\n",
		"main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"" + goModule + "\"\n)\n\nfunc main() { fmt.Println(greet.Greet()) }\n",
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.OK(t, "setup", "go", c.server.Host)
	return c
}

func (c *gopher) run(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return c.Program(t, harness.Input{Dir: c.dir}, "go", args...)
}

func (c *gopher) ok(t *testing.T, args ...string) harness.Result {
	t.Helper()
	r := c.run(t, args...)
	if r.Code != 0 {
		t.Fatalf("go %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
	}
	return r
}

func (c *gopher) fails(t *testing.T, says string, args ...string) {
	t.Helper()
	if r := c.run(t, args...); r.Code == 0 || !strings.Contains(r.Stderr, says) {
		t.Errorf("go %s: exit %d, want a failure that says %q\n%s", strings.Join(args, " "), r.Code, says, r.Stderr)
	}
}

// list asks the mirror for the module's versions, each time.
func (c *gopher) list() []string { return []string{"list", "-m", "-versions", goModule} }

func TestGoModules(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	got := c.ok(t, "get", goModule+"@v1.0.0")
	r := c.ok(t, "run", ".")
	if r.Stdout != "hello\n" || strings.Contains(got.Stderr+r.Stderr, "oidc-cred") {
		t.Errorf("stdout %q, stderr %q", r.Stdout, got.Stderr+r.Stderr)
	}
	// The first request has the token already.
	if anonymous, accepted, refused := c.server.counts(); anonymous+refused > 0 || accepted == 0 || c.server.last() != token.Token {
		t.Errorf("%d requests without a token, %d accepted, %d refused", anonymous, accepted, refused)
	}
	noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
	noSecretsInClear(t, c.dir, token.Token)

	// What is not there costs no refresh, whatever go calls the helper for.
	c.fails(t, "404", "list", "-m", "corp.test/none@v1.0.0")
	if n := c.provider.Log(t).Requests["POST /token"]; n != 1 {
		t.Errorf("%d requests to the token endpoint, want that of the sign-in", n)
	}
	c.OK(t, "setup", "go", c.server.Host, "--remove")
	c.fails(t, "401", c.list()...)
}

func TestGoOtherServer(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{}, "")
	c.Set("GOPROXY", strings.Replace(c.server.URL, "127.0.0.1", "localhost", 1)+"/mirror")
	c.fails(t, "401 Unauthorized", c.list()...)
	if anonymous, accepted, refused := c.server.counts(); anonymous == 0 || accepted+refused > 0 {
		t.Error("the token went to a server that no profile is mapped to")
	}
}

func TestGoExpiry(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, "")
	first, _ := c.Token(t)
	waitPast(t, first)
	c.ok(t, c.list()...)
	if _, _, refused := c.server.counts(); refused > 0 || c.server.last() == first.Token {
		t.Errorf("the expired token was sent (%d refusals)", refused)
	}
}

// A refused token is renewed within the same command.
func TestGoRefused(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	c.server.set(func(s *gate) { s.refuse[token.Token] = true })
	c.ok(t, c.list()...)
	if _, _, refused := c.server.counts(); refused != 1 || c.server.last() == token.Token {
		t.Errorf("%d refusals, want 1", refused)
	}
	c.ok(t, "get", goModule+"@v1.0.0")

	// A server that takes no token at all costs one refresh, however often it
	// is asked.
	before := c.provider.Log(t).Requests["POST /token"]
	c.server.set(func(s *gate) { s.deny = true })
	for range 3 {
		c.fails(t, "401 Unauthorized", c.list()...)
	}
	if n := c.provider.Log(t).Requests["POST /token"] - before; n > 1 {
		t.Errorf("%d refreshes", n)
	}
	if c.Status(t).State != "online" {
		t.Error("a refusal by the mirror ended the session")
	}
}

func TestGoProviderDown(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
	c.server.set(func(s *gate) { s.lenient = true })
	token, _ := c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	c.ok(t, c.list()...)
	if c.server.last() != token.Token {
		t.Error("the mirror saw another token")
	}
	c.server.set(func(s *gate) { s.lenient = false })
	c.fails(t, "401 Unauthorized", c.list()...)
	c.provider.Up(t)
	c.OK(t, "token", "--force-refresh")
	c.ok(t, c.list()...)
}

// The go command keeps to itself why a helper gave nothing, but for -x.
func TestGoSignedOut(t *testing.T) {
	c := newGopher(t, harness.ProviderOptions{}, "")
	c.OK(t, "logout")
	c.fails(t, "401 Unauthorized", c.list()...)
	c.fails(t, "run 'oidc-cred login --profile work'", "get", "-x", goModule+"@v1.0.0")
}
