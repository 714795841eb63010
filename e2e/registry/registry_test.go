package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestPushAndPull(t *testing.T) {
	for _, how := range []string{byToken, byPassword} {
		t.Run(how, func(t *testing.T) {
			u := newUser(t, harness.ProviderOptions{}, how, "    username: alice\n")
			token, _ := u.Token(t)
			for _, c := range clients(t) {
				t.Run(c.name, func(t *testing.T) {
					u := u.as(t)
					u.good("push", c.push(u, u.image("team/"+c.name+":v1")))
					u.good("pull", c.pull(u, u.image("team/"+c.name+":v1")))
					if seen := u.registry.seen(); !slices.Equal(seen, []string{token.Token}) || u.registry.refusals() != 0 {
						t.Errorf("the registry saw %d other tokens, or refused one", len(seen)-1)
					}
				})
			}
			u.registry.set(func(s *registry) {
				if slices.ContainsFunc(s.users, func(user string) bool { return user != "alice" }) {
					t.Errorf("users %q", s.users)
				}
			})
			u.noSecrets(token.Token)
		})
	}
}

// A token that has expired costs nobody a failed command.
func TestExpired(t *testing.T) {
	u := newUser(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, byToken, "")
	for _, c := range clients(t) {
		t.Run(c.name, func(t *testing.T) {
			u := u.as(t)
			u.good("push", c.push(u, u.image("team/"+c.name+":v1")))
			first := u.waitExpired()
			u.registry.seen()
			u.good("pull", c.pull(u, u.image("team/"+c.name+":v1")))
			if seen := u.registry.seen(); len(seen) != 1 || seen[0] == first || u.registry.refusals() != 0 {
				t.Errorf("the registry saw %d tokens, or the expired one", len(seen))
			}
		})
	}
}

// None of the clients tells its helper that a token was refused. A logout does,
// once: the next command has another token, the session stays, and a registry
// that refuses every token has the provider asked no more than once a minute.
func TestRefused(t *testing.T) {
	u := newUser(t, harness.ProviderOptions{}, byToken, "")
	c := clients(t)[0]
	u.good("push", c.push(u, u.image("team/app:v1")))
	for name, docker := range dockers(t) {
		u.OK(t, "token", "--force-refresh")
		token, _ := u.Token(t)
		u.registry.set(func(s *registry) { s.refuse[token.Token] = true })
		u.bad("pull with a refused token", c.pull(u, u.image("team/app:v1")), "UNAUTHORIZED")
		before := u.refreshes()
		u.good(name+" logout", u.run(docker, "logout", u.registry.Host))
		u.good("pull with a new token", c.pull(u, u.image("team/app:v1")))
		if n := u.refreshes() - before; n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	}
	u.registry.set(func(s *registry) { s.strict = true })
	before := u.refreshes()
	for range 3 {
		u.bad("pull from a strict registry", c.pull(u, u.image("team/app:v1")), "UNAUTHORIZED")
		u.good("logout", u.run(built(t, "docker"), "logout", u.registry.Host))
	}
	if n := u.refreshes() - before; n != 0 {
		t.Errorf("%d refreshes within a minute of the last, want none", n)
	}
}

func TestOutage(t *testing.T) {
	t.Run("offline mode off", func(t *testing.T) {
		t.Parallel()
		u := newUser(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, byToken, "")
		cs := clients(t)
		u.good("push", cs[0].push(u, u.image("team/app:v1")))
		u.provider.Down(t)
		u.waitExpired()
		for _, c := range cs {
			u.bad(c.name, c.pull(u, u.image("team/app:v1")), "can't be reached")
		}
		u.provider.Up(t)
		u.OK(t, "token", "--force-refresh")
		for _, c := range cs {
			u.good(c.name, c.pull(u, u.image("team/app:v1")))
		}
	})
	// The registry's token server tolerates an expired token.
	t.Run("offline mode on", func(t *testing.T) {
		t.Parallel()
		u := newUser(t, harness.ProviderOptions{AccessTTL: 4 * time.Second}, byToken, "    offline: {enabled: true}\n")
		u.registry.set(func(s *registry) { s.lenient = true })
		cs := clients(t)
		u.good("push", cs[0].push(u, u.image("team/app:v1")))
		u.provider.Down(t)
		stale := u.waitExpired()
		for _, c := range cs {
			u.registry.seen()
			r := c.pull(u, u.image("team/app:v1"))
			if seen := u.registry.seen(); r.Code != 0 || !slices.Equal(seen, []string{stale}) {
				t.Errorf("%s: exit %d with %d tokens\n%s", c.name, r.Code, len(seen), r.Stderr)
			}
			if !strings.Contains(r.Stderr, "oidc-cred: warning: using_expired_token: ") {
				t.Errorf("%s: no warning in %q", c.name, r.Stderr)
			}
		}
	})
}

// A server that no profile names gets nothing, also if docker is told to ask.
func TestNotMapped(t *testing.T) {
	u := newUser(t, harness.ProviderOptions{}, byToken, "")
	cs := clients(t)
	u.good("push", cs[0].push(u, u.image("public/app:v1")))
	u.good("push", cs[0].push(u, u.image("team/app:v1")))
	_, port, _ := strings.Cut(u.registry.Host, ":")
	u.write(".docker/config.json", fmt.Sprintf(`{"credHelpers": {"localhost:%s": "oidc-cred"}}`, port))
	u.registry.seen()
	for _, c := range cs {
		u.good(c.name+" pulls what is public", c.pull(u, "localhost:"+port+"/public/app:v1"))
		u.bad(c.name+" pulls what is not", c.pull(u, "localhost:"+port+"/team/app:v1"), "")
	}
	if seen := u.registry.seen(); len(seen) > 0 {
		t.Errorf("%d tokens were sent", len(seen))
	}
}

// Without a session the clients stop and say what to do.
func TestNoSession(t *testing.T) {
	u := newUser(t, harness.ProviderOptions{}, byToken, "")
	cs := clients(t)
	u.good("push", cs[0].push(u, u.image("public/app:v1")))
	u.OK(t, "logout")
	for _, c := range cs {
		u.bad(c.name, c.pull(u, u.image("public/app:v1")), "not signed in (run 'oidc-cred login --profile work')")
	}
}

// waitExpired waits until the cached token has expired, and gives it.
func (u *user) waitExpired() string {
	u.t.Helper()
	token, _ := u.Token(u.t, "--offline")
	time.Sleep(time.Until(token.ExpiresAt.Add(1100 * time.Millisecond)))
	return token.Token
}

// write writes a file in the home directory.
func (u *user) write(name, content string) {
	u.t.Helper()
	path := filepath.Join(filepath.Dir(u.Home), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// read reads a file in the home directory.
func (u *user) read(name string) string {
	u.t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(u.Home), filepath.FromSlash(name)))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// noSecrets looks for the token in every file of the home directory.
func (u *user) noSecrets(token string) {
	u.t.Helper()
	err := filepath.WalkDir(filepath.Dir(u.Home), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), token) {
			u.t.Errorf("%s has the token in clear", path)
		}
		return err
	})
	if err != nil {
		u.t.Fatal(err)
	}
}
