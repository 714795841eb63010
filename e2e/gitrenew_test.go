package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestGitExpiry(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{AccessTTL: 4 * time.Second}, "")
		first, _ := c.Token(t)
		waitPast(t, first)
		before := c.refreshes(t)
		c.provider.TTL(t, "access", time.Hour)
		c.lsRemoteAtOnce(t, 6)
		if c.server.last() == first.Token || c.server.refusals() != 0 {
			t.Errorf("the expired token was sent (%d refusals)", c.server.refusals())
		}
		if n := c.refreshes(t) - before; n != 1 {
			t.Errorf("%d refreshes for commands in parallel", n)
		}
	})
}

// lsRemoteAtOnce runs commands in parallel, all of which have to work.
func (c *checkout) lsRemoteAtOnce(t *testing.T, n int) {
	t.Helper()
	var running []*exec.Cmd
	for range n {
		cmd := exec.Command(c.program.path, "ls-remote", c.url())
		cmd.Env, cmd.Dir = c.Env, c.dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("in parallel: %v", err)
		}
	}
}

// The server refuses a token that has not expired, because it was revoked say.
// A newer git has it renewed in the same command; an older one reports that,
// and the next command uses a new one.
func TestGitRefused(t *testing.T) {
	for _, schemes := range [][]string{{"Basic", "Bearer"}, {"Basic"}} {
		t.Run(strings.Join(schemes, " and "), func(t *testing.T) {
			eachGit(t, func(t *testing.T, g gitProgram) { testGitRefused(t, g, schemes) })
		})
	}
}

func testGitRefused(t *testing.T, g gitProgram, schemes []string) {
	c := newCheckout(t, g, harness.ProviderOptions{}, "")
	token, _ := c.Token(t)
	c.server.set(func(s *gitServer) { s.refuse[token.Token], s.schemes = true, schemes })
	before := c.refreshes(t)
	if g.selfHealing() {
		c.lsRemoteAtOnce(t, 4)
	} else if r := c.git(t, "ls-remote", c.url()); r.Code == 0 || !strings.Contains(r.Stderr, "Authentication failed") {
		t.Errorf("exit %d, stderr %q", r.Code, r.Stderr)
	}
	if r := c.gitOK(t, "ls-remote", c.url()); r.Stderr != "" {
		t.Errorf("stderr %q", r.Stderr)
	}
	if c.server.last() == token.Token {
		t.Error("the refused token was used again")
	}
	if n := c.refreshes(t) - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	if c.Status(t).State != "online" {
		t.Error("a refusal by the git server ended the session")
	}
}

// A server that takes no token at all does not have the provider asked again
// and again.
func TestGitRefusedAlways(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{}, "")
		c.server.set(func(s *gitServer) { s.strict = true })
		before := c.refreshes(t)
		for i := range 6 {
			want := "Authentication failed"
			if i > 1 || i > 0 && g.selfHealing() { // there is no other token to try
				want = "has just refused the token of profile work"
			}
			if r := c.git(t, "ls-remote", c.url()); r.Code == 0 || !strings.Contains(r.Stderr, want) {
				t.Errorf("exit %d, stderr %q, want %q", r.Code, r.Stderr, want)
			}
		}
		if n := c.refreshes(t) - before; n != 1 {
			t.Errorf("%d refreshes for 6 commands", n)
		}
		if c.Status(t).State != "online" {
			t.Error("a refusal by the git server ended the session")
		}
	})
}

func TestGitProviderDown(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
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
		why := "takes no expired token, and the one of profile work can't be renewed: "
		for i := range 2 {
			r := c.git(t, "ls-remote", c.url())
			if r.Code == 0 || strings.Contains(r.Stderr, why) != (i > 0 || g.selfHealing()) {
				t.Errorf("command %d: exit %d, stderr %q", i, r.Code, r.Stderr)
			}
		}
		c.provider.Up(t)
		c.OK(t, "token", "--force-refresh")
		c.gitOK(t, "ls-remote", c.url())
	})
}

// Twenty commands while the provider fails wait for one time-out, not twenty,
// also where the server refuses the token each time.
func TestGitBackoff(t *testing.T) {
	eachGit(t, func(t *testing.T, g gitProgram) {
		c := newCheckout(t, g, harness.ProviderOptions{AccessTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
		c.server.set(func(s *gitServer) { s.lenient = true })
		token, _ := c.Token(t)
		waitPast(t, token)
		c.provider.Fail(t, "token", http.StatusServiceUnavailable)
		before := c.refreshes(t)
		for range 20 {
			c.gitOK(t, "ls-remote", c.url())
		}
		c.server.set(func(s *gitServer) { s.strict = true })
		for range 5 {
			c.git(t, "ls-remote", c.url())
		}
		if tries := c.refreshes(t) - before; tries != 1 {
			t.Errorf("%d tries to refresh for 25 commands", tries)
		}
	})
}
