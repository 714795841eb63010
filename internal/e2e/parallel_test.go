package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

const crowd = 50

// crowd runs the same call in fifty processes at once.
func (h *home) crowd(args ...string) []result {
	h.t.Helper()
	running := make([]*process, crowd)
	for i := range running {
		running[i] = h.start(args...)
	}
	results := make([]result, crowd)
	for i, p := range running {
		results[i] = p.wait()
	}
	return results
}

// TestCrowd: fifty processes find the token expired, at a provider that rotates
// refresh tokens and ends the session when one comes twice. One of them asks,
// all of them get the new token, and nobody is signed out. Twenty rounds.
func TestCrowd(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
	h := newHome(t, p)
	h.login()
	seen := map[string]bool{}
	for round := range rounds {
		p.Lifetime(time.Second)
		if round > 0 {
			h.token("--force-refresh")
		}
		time.Sleep(1050 * time.Millisecond)
		p.Lifetime(time.Hour)
		p.ResetCounts()
		token := ""
		for _, r := range h.crowd("token") {
			r.exits(0)
			if token == "" {
				token = r.stdout
			}
			if r.stdout != token || r.stderr != "" {
				t.Fatalf("round %d: different answers, or one with %q", round, r.stderr)
			}
		}
		if got := p.Count(oidctest.TokenEndpoint); got != 1 {
			t.Errorf("round %d: %d refreshes, want one", round, got)
		}
		if seen[token] || !p.Active(strings.TrimSpace(token)) {
			t.Errorf("round %d: the token is not a new, valid one", round)
		}
		seen[token] = true
	}
	if p.Reused() != 0 {
		t.Errorf("a spent refresh token was sent %d times", p.Reused())
	}
}

// TestCrowdInOutage: one of fifty finds out that the provider is down, and the
// others believe it.
func TestCrowdInOutage(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprintf("offline %t", enabled), func(t *testing.T) {
			p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
			h := newHome(t, p, fmt.Sprintf("offline: {enabled: %t}", enabled))
			h.login()
			time.Sleep(1050 * time.Millisecond)
			p.Set(oidctest.TokenEndpoint, oidctest.Status(503))
			p.ResetCounts()
			for _, r := range h.crowd("token") {
				if enabled {
					r.exits(0)
				} else {
					r.fails(4)
				}
			}
			if got := p.Count(oidctest.TokenEndpoint); got != 1 {
				t.Errorf("%d requests, want one", got)
			}
			if s := h.status(); s.Offline == nil || s.Offline.Failures != 1 {
				t.Errorf("status is %+v", s)
			}
		})
	}
}

// TestCrowdInBlackHole: whoever holds the lock waits for a provider that says
// nothing. The others wait no longer than the timeout, and in all one request
// is made.
func TestCrowdInBlackHole(t *testing.T) {
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
	h := newHome(t, p, "timeout: "+timeout.String(), "offline: {enabled: true}")
	h.login()
	time.Sleep(1050 * time.Millisecond)
	p.BlackHole()
	before := p.Connections()
	for _, r := range h.crowd("token", "-o", "json") {
		r.exits(0).quick(timeout + margin)
		if j := decode[tokenJSON](r); !j.Offline || !j.Expired {
			t.Errorf("offline %t, expired %t", j.Offline, j.Expired)
		}
	}
	if got := p.Connections() - before; got != 1 {
		t.Errorf("%d connections, want one", got)
	}
	// What still waits is dropped, not carried out: a refresh whose answer nobody
	// hears would spend the refresh token.
	p.Down()
	p.Release()
	p.Up()
	if got := h.token("--force-refresh"); !p.Active(got) {
		t.Error("the session did not survive")
	}
}

// TestValidTokenDoesNotWait: while one process hangs in its exchange, a token
// that is still good is given out at once.
func TestValidTokenDoesNotWait(t *testing.T) {
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p, "timeout: 5s")
	h.login()
	p.Set(oidctest.TokenEndpoint, oidctest.Hold())
	p.ResetCounts()
	hanging := h.start("token", "--force-refresh")
	await(t, p, oidctest.TokenEndpoint, 1)
	for _, args := range [][]string{{"token"}, {"token", "--min-valid", "2h"}, {"status"}, {"status", "--check"}} {
		h.run(args...).exits(0).quick(time.Second)
	}
	p.Clear()
	hanging.wait().exits(0)
	if got := p.Count(oidctest.TokenEndpoint); got != 1 {
		t.Errorf("%d requests, want one", got)
	}
}

// TestMixedCrowd: everything at once, while the provider comes and goes. A
// session is never lost to it, and no spent refresh token is ever sent.
func TestMixedCrowd(t *testing.T) {
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
	h := newHome(t, p, "timeout: 2s", "offline: {enabled: true, retry: {initial: 1ms, max: 1ms}}")
	h.login()
	calls := [][]string{{"token"}, {"token", "--force-refresh"}, {"token", "--min-valid", "1h"}, {"token", "--type", "id"}, {"status"}, {"helper", "kubectl"}}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		if round%2 == 1 {
			p.Set(oidctest.TokenEndpoint, oidctest.Status(503).Times(5))
		}
		var running []*process
		for i := range crowd {
			running = append(running, h.start(calls[i%len(calls)]...))
		}
		for _, r := range running {
			r.wait().exits(0)
		}
	}
	p.Clear()
	if got := h.token("--force-refresh"); !p.Active(got) {
		t.Error("the session did not survive")
	}
	// All of them have written to one log, and no line went into another.
	log, err := os.ReadFile(filepath.Join(h.dir, "state", "events.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the event log has the line %q", line)
		}
	}
	if p.Reused() != 0 {
		t.Errorf("a spent refresh token was sent %d times", p.Reused())
	}
}
