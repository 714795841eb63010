package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// checkout is a person with a signed-in program and git set up for a server.
type checkout struct {
	*harness.CLI
	provider *harness.Provider
	server   *gitServer
	dir      string
}

func newCheckout(t *testing.T, o harness.ProviderOptions, more string) *checkout {
	t.Helper()
	c := &checkout{CLI: harness.NewCLI(t, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS="), provider: harness.StartProvider(t, o), dir: t.TempDir()}
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
	return c.Program(t, harness.Input{Dir: c.dir}, "git", args...)
}

func (c *checkout) gitOK(t *testing.T, args ...string) harness.Result {
	t.Helper()
	r := c.git(t, args...)
	if r.Code != 0 {
		t.Fatalf("git %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
	}
	return r
}

func (c *checkout) url() string { return "https://" + c.server.Host + "/repo.git" }

func TestGit(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)

	c.gitOK(t, "clone", "-q", c.url(), "one")
	if err := os.WriteFile(filepath.Join(c.dir, "one", "file"), []byte("content\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.gitOK(t, "-C", "one", "add", "file")
	c.gitOK(t, "-C", "one", "commit", "-q", "-m", "a file")
	if r := c.gitOK(t, "-C", "one", "push", "-q", "origin", "HEAD:main"); strings.Contains(r.Stderr, "oidc-cred") {
		t.Errorf("push: %q", r.Stderr)
	}
	c.gitOK(t, "clone", "-q", c.url(), "two")
	if data, err := os.ReadFile(filepath.Join(c.dir, "two", "file")); err != nil || string(data) != "content\n" {
		t.Errorf("the second clone has %q, %v", data, err)
	}
	c.gitOK(t, "-C", "two", "fetch", "-q")
	if c.server.last() != token.Token || c.server.refusals() != 0 {
		t.Errorf("the server saw another token, or refused one (%d)", c.server.refusals())
	}
	// Nothing of it is in git's configuration or in the clones.
	noSecretsInClear(t, filepath.Dir(c.Home), token.Token)
	noSecretsInClear(t, c.dir, token.Token)
}

func TestGitOtherServer(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{}, "")
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
}

func TestGitExpiry(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, "")
	first, _ := c.Token(t)
	waitPast(t, first)
	c.gitOK(t, "ls-remote", c.url())
	if c.server.last() == first.Token || c.server.refusals() != 0 {
		t.Errorf("the expired token was sent (%d refusals)", c.server.refusals())
	}
}

// The server refuses a token that has not expired, because it was revoked say.
// Git reports that, and the next command uses a new one.
func TestGitRefused(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	c.server.set(func(s *gitServer) { s.refuse[token.Token] = true })
	first := c.git(t, "ls-remote", c.url()) // newer versions of git ask again at once
	c.gitOK(t, "ls-remote", c.url())
	if c.server.last() == token.Token {
		t.Error("the refused token was used again")
	}
	t.Logf("first command: exit %d %s", first.Code, first.Stderr)
	if c.Status(t).State != "online" {
		t.Error("a refusal by the git server ended the session")
	}
}

func TestGitProviderDown(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
	c.server.set(func(s *gitServer) { s.lenient = true })
	token, _ := c.Token(t)
	c.provider.Down(t)
	waitPast(t, token)
	r := c.gitOK(t, "ls-remote", c.url())
	if c.server.last() != token.Token || strings.Count(r.Stderr, "using_expired_token") != 1 {
		t.Errorf("stderr %q", r.Stderr)
	}

	// With a server that goes by the expiry the command fails, and the session
	// stays for when the provider is back.
	c.server.set(func(s *gitServer) { s.lenient = false })
	if r := c.git(t, "ls-remote", c.url()); r.Code == 0 {
		t.Error("the server took an expired token")
	}
	c.provider.Up(t)
	c.OK(t, "token", "--force-refresh")
	c.gitOK(t, "ls-remote", c.url())
}

func TestGitSignedOut(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{}, "")
	c.OK(t, "logout")
	r := c.git(t, "ls-remote", c.url())
	if r.Code == 0 || strings.Count(r.Stderr, "oidc-cred: error: ") != 1 || !strings.Contains(r.Stderr, "oidc-cred login") || strings.Contains(r.Stderr, "could not read Username") {
		t.Errorf("exit %d, stderr %q", r.Code, r.Stderr)
	}
}

// Twenty commands while the provider fails wait for one time-out, not twenty.
func TestGitBackoff(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
	c.server.set(func(s *gitServer) { s.lenient = true })
	token, _ := c.Token(t)
	waitPast(t, token)
	c.provider.Fail(t, "token", http.StatusServiceUnavailable)
	before := c.provider.Log(t).Requests["POST /token"]
	for range 20 {
		c.gitOK(t, "ls-remote", c.url())
	}
	if tries := c.provider.Log(t).Requests["POST /token"] - before; tries != 1 {
		t.Errorf("%d tries to refresh for 20 commands", tries)
	}
}

func TestGitSetupTwiceAndBack(t *testing.T) {
	c := newCheckout(t, harness.ProviderOptions{}, "")
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
}
