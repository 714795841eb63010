package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// git-lfs asks git for the credential, and git the helper.
func TestGitLFS(t *testing.T) {
	for _, schemes := range [][]string{{"Basic", "Bearer"}, {"Basic"}} {
		t.Run(strings.Join(schemes, " and "), func(t *testing.T) {
			eachGit(t, func(t *testing.T, g gitProgram) {
				if _, err := os.Stat(g.lfs); err != nil {
					testenv.Need(t, "git-lfs", err.Error())
				}
				testGitLFS(t, g, schemes)
			})
		})
	}
}

func testGitLFS(t *testing.T, g gitProgram, schemes []string) {
	c := newCheckout(t, g, harness.ProviderOptions{AccessTTL: 5 * time.Second}, "")
	c.server.set(func(s *gitServer) { s.schemes = schemes })
	c.gitOK(t, "lfs", "install", "--skip-repo")
	t.Logf("%s", c.gitOK(t, "lfs", "version").Stdout)

	// Upload, and download elsewhere.
	c.gitOK(t, "clone", "-q", c.url(), "one")
	c.gitOK(t, "-C", "one", "lfs", "track", "*.bin")
	first := strings.Repeat("large ", 20000)
	c.commit(t, "one", "a.bin", first)
	c.gitOK(t, "-C", "one", "push", "-q", "origin", "HEAD:main")
	sum := sha256.Sum256([]byte(first))
	if data, found := c.server.object(hex.EncodeToString(sum[:])); !found || string(data) != first {
		t.Fatal("the server did not get the object")
	}
	c.gitOK(t, "clone", "-q", c.url(), "two")
	c.holds(t, "two", "a.bin", first)

	// The token has expired.
	token, _ := c.Token(t)
	waitPast(t, token)
	before := c.refreshes(t)
	c.provider.TTL(t, "access", time.Hour)
	second := strings.Repeat("larger ", 20000)
	c.commit(t, "one", "b.bin", second)
	c.gitOK(t, "-C", "one", "push", "-q", "origin", "HEAD:main")
	c.gitOK(t, "-C", "two", "pull", "-q")
	c.holds(t, "two", "b.bin", second)
	// A newer git-lfs asks for the credential before the server has said that it
	// takes Basic alone, so that a Bearer token is tried first.
	if n := c.server.refusals(); n != 0 && (len(schemes) > 1 || !g.selfHealing()) {
		t.Errorf("the server refused a token %d times", n)
	}
	if n := c.refreshes(t) - before; n != 1 {
		t.Errorf("%d refreshes for one expiry", n)
	}

	// The server refuses it before it has expired: renewed in the same command.
	// An older git-lfs has the refused one erased and asks again.
	token, _ = c.Token(t)
	c.server.set(func(s *gitServer) { s.refuse[token.Token] = true })
	if err := os.RemoveAll(filepath.Join(c.dir, "two", ".git", "lfs", "objects")); err != nil {
		t.Fatal(err)
	}
	before = c.refreshes(t)
	if r := c.git(t, "-C", "two", "lfs", "fetch"); r.Code != 0 {
		t.Errorf("it was not renewed in the same command: exit %d\n%s", r.Code, r.Stderr)
	}
	if n := c.refreshes(t) - before; n != 1 || c.server.last() == token.Token {
		t.Errorf("%d refreshes", n)
	}

	// A server that takes none. git-lfs before 3.8 would ask for ever.
	c.server.set(func(s *gitServer) { s.strict = true })
	if err := os.RemoveAll(filepath.Join(c.dir, "two", ".git", "lfs", "objects")); err != nil {
		t.Fatal(err)
	}
	already := c.server.refusals()
	r := c.git(t, "-C", "two", "lfs", "fetch")
	if r.Code == 0 || !strings.Contains(r.Stderr, "has just refused the token of profile work") && !strings.Contains(r.Stderr, "too many authentication attempts") {
		t.Errorf("exit %d, stderr %q", r.Code, r.Stderr)
	}
	if n := c.server.refusals() - already; n > 6 {
		t.Errorf("the server had to refuse %d times", n)
	}
	if n := c.refreshes(t) - before; n > 2 {
		t.Errorf("%d refreshes", n)
	}
	noSecretsInClear(t, c.dir, token.Token)
}

// holds compares a file of a working copy.
func (c *checkout) holds(t *testing.T, copied, name, want string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, copied, name))
	if err != nil || string(data) != want {
		t.Errorf("%s in %s has %d bytes, %v", name, copied, len(data), err)
	}
}
