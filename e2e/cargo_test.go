package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// crateAuthor is a person with a signed-in program and cargo set up for a
// private registry.
type crateAuthor struct {
	*harness.CLI
	provider *harness.Provider
	server   *cargoServer
	dir      string
	cargo    string
}

func newCrateAuthor(t *testing.T, o harness.ProviderOptions, secure bool, more string) *crateAuthor {
	t.Helper()
	c := &crateAuthor{CLI: harness.NewCLI(t), provider: harness.StartProvider(t, o), dir: t.TempDir(), cargo: cargoProgram(t)}
	c.server = newCargoServer(t, c.provider, secure)
	c.Set("CARGO_HTTP_CAINFO", c.server.cert.CAFile)
	c.Set("CARGO_HOME", filepath.Join(c.dir, "cargo"))
	c.Set("CARGO_TERM_COLOR", "never")
	// cargo may be rustup's, which looks for the real one below the home.
	if home, err := os.UserHomeDir(); err == nil && os.Getenv("RUSTUP_HOME") == "" {
		c.Set("RUSTUP_HOME", filepath.Join(home, ".rustup"))
	}
	c.Config(t, profile(c.provider, "    resources: ["+gateAudience+"]\n"+more))
	signIn(t, c.CLI, harness.BrowserOptions{})
	return c
}

// cargoProgram is a cargo that knows credential providers.
func cargoProgram(t *testing.T) string {
	t.Helper()
	path := testenv.Program(t, "cargo")
	out, err := exec.CommandContext(t.Context(), path, "--version").Output()
	var major, minor int
	if err == nil {
		_, err = fmt.Sscanf(string(out), "cargo %d.%d", &major, &minor)
	}
	if err != nil || major == 1 && minor < 74 {
		testenv.Need(t, "cargo 1.74", fmt.Sprintf("%q, %v", out, err))
	}
	return path
}

func (c *crateAuthor) run(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return c.Program(t, harness.Input{Dir: c.dir}, c.cargo, args...)
}

func (c *crateAuthor) ok(t *testing.T, args ...string) harness.Result {
	t.Helper()
	r := c.run(t, args...)
	if r.Code != 0 {
		t.Fatalf("cargo %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
	}
	return r
}

// fails demands a failure that says something.
func (c *crateAuthor) fails(t *testing.T, says string, args ...string) harness.Result {
	t.Helper()
	r := c.run(t, args...)
	if r.Code == 0 || !strings.Contains(r.Stderr, says) {
		t.Errorf("cargo %s: exit %d, want a failure that says %q\n%s", strings.Join(args, " "), r.Code, says, r.Stderr)
	}
	return r
}

// setup is what a person types.
func (c *crateAuthor) setup(t *testing.T) {
	t.Helper()
	c.OK(t, "setup", "cargo", "corp", c.server.Index())
}

// search is the shortest command that asks the registry something.
func (c *crateAuthor) search() []string { return []string{"search", "--registry", "corp", "anything"} }

func (c *crateAuthor) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// crates writes a library and a program that uses it.
func (c *crateAuthor) crates(t *testing.T) {
	t.Helper()
	const head = "version = \"0.1.0\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\npublish = [\"corp\"]\n"
	c.write(t, "greet/Cargo.toml", "[package]\nname = \"greet\"\n"+head)
	c.write(t, "greet/src/lib.rs", "pub fn greet() -> &'static str { \"hello\" }\n")
	c.write(t, "program/Cargo.toml", "[package]\nname = \"program\"\n"+head+"\n[dependencies]\ngreet = { version = \"0.1\", registry = \"corp\" }\n")
	c.write(t, "program/src/main.rs", "fn main() { println!(\"{}\", greet::greet()); }\n")
}

func (c *crateAuthor) publish() []string {
	return []string{"publish", "--no-verify", "--registry", "corp", "--manifest-path", "greet/Cargo.toml"}
}

func TestCargo(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, true, "")
	c.setup(t)
	c.crates(t)
	token, _ := c.Token(t)

	published := c.ok(t, c.publish()...)
	r := c.ok(t, "run", "--manifest-path", "program/Cargo.toml")
	if r.Stdout != "hello\n" || strings.Contains(published.Stderr+r.Stderr, "oidc-cred") {
		t.Errorf("stdout %q, stderr %q", r.Stdout, published.Stderr+r.Stderr)
	}
	if _, _, refused := c.server.counts(); refused > 0 || c.server.last() != token.Token {
		t.Errorf("the registry saw another token, or refused one (%d)", refused)
	}
	// Nothing of it is in cargo's files or in the builds.
	noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
	noSecretsInClear(t, c.dir, token.Token)

	// cargo names no provider that could sign out, and ours does not.
	c.fails(t, "oidc-cred logout --profile work", "logout", "--registry", "corp")
	if c.Status(t).State != "online" {
		t.Error("cargo logout signed out of the profile")
	}
	c.OK(t, "setup", "cargo", "corp", "--remove")
	c.fails(t, "corp", c.search()...)
}

func TestCargoLoopback(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, false, "")
	c.setup(t)
	c.ok(t, c.search()...)
	if token, _ := c.Token(t); c.server.last() != token.Token {
		t.Error("the registry saw another token")
	}
}

// What cargo says where the helper has nothing for the registry is cargo's own
// error, and the token stays here.
func TestCargoOtherServer(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, true, "")
	c.setup(t)
	// The same server by another name, which no profile is mapped to.
	other := strings.Replace(c.server.Index(), "127.0.0.1", "localhost", 1)
	c.write(t, "cargo/config.toml", fmt.Sprintf("[registries.corp]\nindex = %q\ncredential-provider = [%q, \"helper\", \"cargo\"]\n", other, harness.Binary))
	c.fails(t, "no credential providers could handle the request", c.search()...)
	if _, accepted, refused := c.server.counts(); accepted+refused > 0 {
		t.Error("the token went to a server that no profile is mapped to")
	}
	// As one of several it leaves the registry to the next one.
	c.write(t, "cargo/config.toml", fmt.Sprintf("[registries.corp]\nindex = %q\n[credential-alias]\noidc-cred = [%q, \"helper\", \"cargo\"]\n[registry]\nglobal-credential-providers = [\"cargo:token\", \"oidc-cred\"]\n", other, harness.Binary))
	token, _ := c.Token(t)
	c.Set("CARGO_REGISTRIES_CORP_TOKEN", "Bearer "+token.Token)
	c.ok(t, c.search()...)
}

// Cargo finds a provider by its name as well, and by an alias.
func TestCargoByName(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, true, "")
	c.setup(t)
	bin := filepath.Join(c.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(harness.Binary, filepath.Join(bin, "cargo-credential-oidc-cred")); err != nil {
		t.Fatal(err)
	}
	c.Set("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, config := range map[string]string{
		"name":          "credential-provider = \"cargo-credential-oidc-cred\"\n",
		"with a flag":   "credential-provider = [\"cargo-credential-oidc-cred\", \"--profile\", \"work\"]\n",
		"for all":       "[registry]\nglobal-credential-providers = [\"cargo:token\", \"cargo-credential-oidc-cred --profile work\"]\n",
		"alias for all": fmt.Sprintf("[credential-alias]\nsign-in = [%q, \"helper\", \"cargo\", \"--no-offline\"]\n[registry]\nglobal-credential-providers = [\"cargo:token\", \"sign-in\"]\n", harness.Binary),
	} {
		t.Run(name, func(t *testing.T) {
			c.write(t, "cargo/config.toml", fmt.Sprintf("[registries.corp]\nindex = %q\n", c.server.Index())+config)
			c.ok(t, c.search()...)
		})
	}
	c.write(t, "cargo/config.toml", fmt.Sprintf("[registries.corp]\nindex = %q\ncredential-provider = [%q, \"helper\", \"cargo\", \"--profile\", \"none\"]\n", c.server.Index(), harness.Binary))
	c.fails(t, `none`, c.search()...)
}

func TestCargoExpiry(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, true, "")
	c.setup(t)
	c.ok(t, c.search()...)
	first, _ := c.Token(t)
	waitPast(t, first)
	c.ok(t, c.search()...)
	if _, _, refused := c.server.counts(); refused > 0 || c.server.last() == first.Token {
		t.Errorf("the expired token was sent (%d refusals)", refused)
	}
}

// The registry refuses a token that has not expired. Cargo tells its provider
// nothing of that; `cargo login` is how a person does.
func TestCargoRefused(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, true, "")
	c.setup(t)
	token, _ := c.Token(t)
	c.server.set(func(s *gate) { s.refuse[token.Token] = true })
	c.fails(t, "token rejected", c.search()...)
	c.ok(t, "login", "--registry", "corp")
	c.ok(t, c.search()...)
	if c.server.last() == token.Token {
		t.Error("the refused token was used again")
	}
	if n := c.provider.Log(t).Requests["POST /token"]; n != 2 {
		t.Errorf("%d requests to the token endpoint, want 2", n)
	}
	c.fails(t, "so there is none to store", "login", "--registry", "corp", "a-token")
}

func TestCargoProviderDown(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, true, "    offline: {enabled: true}\n")
	c.setup(t)
	c.crates(t)
	c.ok(t, c.publish()...)
	c.server.set(func(s *gate) { s.lenient = true })
	token, _ := c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	r := c.ok(t, "run", "--manifest-path", "program/Cargo.toml")
	if c.server.last() != token.Token || strings.Count(r.Stderr, "using_expired_token") != 1 || r.Stdout != "hello\n" {
		t.Errorf("stdout %q, stderr %q", r.Stdout, r.Stderr)
	}
	// Without the policy there is a reason instead.
	c.write(t, "cargo/config.toml", fmt.Sprintf("[registries.corp]\nindex = %q\ncredential-provider = [%q, \"helper\", \"cargo\", \"--no-offline\"]\n", c.server.Index(), harness.Binary))
	if r := c.fails(t, "can't be reached", c.search()...); strings.Count(r.Stderr, "oidc-cred: ") > 0 {
		t.Errorf("said twice: %q", r.Stderr)
	}
	c.provider.Up(t)
	c.OK(t, "token", "--force-refresh")
	c.ok(t, c.search()...)
}

func TestCargoSignedOut(t *testing.T) {
	c := newCrateAuthor(t, harness.ProviderOptions{}, true, "")
	c.setup(t)
	c.OK(t, "logout")
	r := c.fails(t, "profile work is not signed in (run 'oidc-cred login --profile work')", c.search()...)
	t.Logf("cargo says:\n%s", r.Stderr)
	c.fails(t, "oidc-cred login", "login", "--registry", "corp")
}
