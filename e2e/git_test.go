package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// checkout is a person with a signed-in program and git set up for a server.
type checkout struct {
	*harness.CLI
	program  gitProgram
	provider *harness.Provider
	server   *gitServer
	dir      string
}

func newCheckout(t *testing.T, g gitProgram, o harness.ProviderOptions, more string) *checkout {
	t.Helper()
	c := &checkout{
		CLI:     harness.NewCLI(t, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS="),
		program: g, provider: harness.StartProvider(t, o), dir: t.TempDir(),
	}
	c.Set("PATH", strings.Join([]string{filepath.Dir(g.path), filepath.Dir(harness.Binary), os.Getenv("PATH")}, string(os.PathListSeparator)))
	c.server = newGitServer(t, c.provider)
	c.Set("GIT_SSL_CAINFO", c.server.cert.CAFile)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		c.Set("GIT_"+who+"_NAME", "Alice")
		c.Set("GIT_"+who+"_EMAIL", "alice@example.test")
	}
	c.Config(t, profile(c.provider, "    resources: ["+gitAudience+"]\n"+more))
	signIn(t, c.CLI, harness.BrowserOptions{})
	c.OK(t, "setup", "git", c.server.Host)
	return c
}

func (c *checkout) git(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return c.Program(t, harness.Input{Dir: c.dir}, c.program.path, args...)
}

func (c *checkout) gitOK(t *testing.T, args ...string) harness.Result {
	t.Helper()
	r := c.git(t, args...)
	if r.Code != 0 {
		t.Fatalf("git %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
	}
	return r
}

// commit adds a file to a working copy.
func (c *checkout) commit(t *testing.T, copied, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, copied, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c.gitOK(t, "-C", copied, "add", ".")
	c.gitOK(t, "-C", copied, "commit", "-q", "-m", "a change")
}

func (c *checkout) url() string { return "https://" + c.server.Host + "/repo.git" }

// refreshes counts the requests at the provider's token endpoint.
func (c *checkout) refreshes(t *testing.T) int {
	t.Helper()
	return c.provider.Log(t).Requests["POST /token"]
}

func TestGit(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		token, _ := c.Token(t)

		c.gitOK(t, "clone", "-q", c.url(), "one")
		c.commit(t, "one", "file", "content\n")
		if r := c.gitOK(t, "-C", "one", "push", "-q", "origin", "HEAD:main"); strings.Contains(r.Stderr, "oidc-cred") {
			t.Errorf("push: %q", r.Stderr)
		}
		c.gitOK(t, "clone", "-q", c.url(), "two")
		if data, err := os.ReadFile(filepath.Join(c.dir, "two", "file")); err != nil || string(data) != "content\n" {
			t.Errorf("the second clone has %q, %v", data, err)
		}
		c.gitOK(t, "-C", "two", "fetch", "-q")
		// With the path git asks for each repository apart.
		c.gitOK(t, "-c", "credential.useHttpPath=true", "ls-remote", c.url())
		if c.server.last() != token.Token || c.server.refusals() != 0 {
			t.Errorf("the server saw another token, or refused one (%d)", c.server.refusals())
		}
		if want := map[bool]string{true: "Bearer", false: "Basic"}[g.selfHealing()]; c.server.scheme() != want {
			t.Errorf("the token went as %s, want %s", c.server.scheme(), want)
		}

		// A submodule on the same server, which git fetches in parallel.
		c.gitOK(t, "clone", "-q", strings.Replace(c.url(), "repo.git", "sub.git", 1), "sub")
		c.commit(t, "sub", "part", "part\n")
		c.gitOK(t, "-C", "sub", "push", "-q", "origin", "HEAD:main")
		c.gitOK(t, "-C", "one", "submodule", "add", "-q", "../sub.git", "sub")
		c.commit(t, "one", "file", "more content\n")
		c.gitOK(t, "-C", "one", "push", "-q", "origin", "HEAD:main")
		c.gitOK(t, "clone", "-q", "--recurse-submodules", "-j4", c.url(), "three")
		if data, err := os.ReadFile(filepath.Join(c.dir, "three", "sub", "part")); err != nil || string(data) != "part\n" {
			t.Errorf("the submodule has %q, %v", data, err)
		}
		if c.server.refusals() != 0 {
			t.Errorf("the server refused a token %d times", c.server.refusals())
		}

		// Nothing of it is in git's configuration or in the clones.
		noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
		noSecretsInClear(t, c.dir, token.Token)
	})
}

// A server that takes a token only as the password of Basic, as many do, and
// says so; one that takes it only as a Bearer token.
func TestGitSchemes(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		c.server.set(func(s *gitServer) { s.schemes = []string{"Basic"} })
		c.gitOK(t, "ls-remote", c.url())
		if c.server.refusals() != 0 || c.server.scheme() != "Basic" {
			t.Errorf("Basic: %d refusals, %s", c.server.refusals(), c.server.scheme())
		}
		if !g.selfHealing() {
			return // knows no other
		}
		// Sent before the server has named anything.
		c.gitOK(t, "-c", "http.proactiveAuth=basic", "ls-remote", c.url())
		if c.server.refusals() != 0 {
			t.Errorf("Basic, unasked: %d refusals", c.server.refusals())
		}
		c.server.set(func(s *gitServer) { s.schemes = []string{"Bearer"} })
		c.gitOK(t, "ls-remote", c.url())
		c.gitOK(t, "-c", "http.proactiveAuth=auto", "ls-remote", c.url())
		if c.server.refusals() != 0 || c.server.scheme() != "Bearer" {
			t.Errorf("Bearer: %d refusals, %s", c.server.refusals(), c.server.scheme())
		}
	})
}

func TestGitOtherServer(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		// The same server by another name, which no profile is mapped to, even if
		// the helper is asked about every server.
		other := "https://" + strings.Replace(c.server.Host, "127.0.0.1", "localhost", 1) + "/repo.git"
		helper := "credential.helper=!'" + harness.Binary + "' helper git"
		for _, args := range [][]string{{"ls-remote", other}, {"-c", helper, "ls-remote", other}} {
			r := c.git(t, args...)
			if r.Code == 0 || strings.Contains(r.Stderr, "oidc-cred:") || strings.Contains(r.Stderr, "told us to quit") || !strings.Contains(r.Stderr, "could not read Username") {
				t.Errorf("git %s: exit %d, %q", strings.Join(args, " "), r.Code, r.Stderr)
			}
		}
		if c.server.last() != "" || c.server.refusals() != 0 {
			t.Error("the token went to a server that no profile is mapped to")
		}
	})
}

func TestGitSignedOut(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		c.OK(t, "logout")
		r := c.git(t, "ls-remote", c.url())
		if r.Code == 0 || strings.Count(r.Stderr, "oidc-cred: error: ") != 1 || !strings.Contains(r.Stderr, "oidc-cred login") || strings.Contains(r.Stderr, "could not read Username") {
			t.Errorf("exit %d, stderr %q", r.Code, r.Stderr)
		}
	})
}

func TestGitSetupTwiceAndBack(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		file := filepath.Join(filepath.Dir(c.Home), ".gitconfig")
		once, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.OK(t, "setup", "git", c.server.Host)
		if twice, err := os.ReadFile(file); err != nil || !bytes.Equal(twice, once) {
			t.Errorf("setup twice: %v\n%s", err, twice)
		}
		c.OK(t, "setup", "git", c.server.Host, "--remove")
		if left, err := os.ReadFile(file); err == nil && strings.Contains(string(left), "oidc-cred") {
			t.Errorf("left after --remove:\n%s", left)
		}
	})
}
