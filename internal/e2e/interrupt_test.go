package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// interrupt is Ctrl-C.
func (p *process) interrupt() {
	p.h.t.Helper()
	p.signal(os.Interrupt)
}

func (p *process) signal(s os.Signal) {
	p.h.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.h.t.Fatal(err)
	}
}

// interrupted: nothing on stdout, one line on stderr.
func (r result) interrupted() {
	r.t.Helper()
	r.exits(130).quick(5 * time.Second)
	if !strings.HasSuffix(r.stderr, "oidc-cred: error: interrupted\n") {
		r.t.Errorf("%v: stderr %q", r.args, r.stderr)
	}
}

// TestInterruptedRefresh: a refresh that is on the wire is finished, or the
// rotated refresh token would be lost to Ctrl-C.
func TestInterruptedRefresh(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p)
	h.login()
	p.Set(oidctest.TokenEndpoint, oidctest.Latency(500*time.Millisecond))
	// Ctrl-C, an end from elsewhere, and a terminal that was closed.
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		p.ResetCounts()
		running := h.start("token", "--force-refresh")
		await(t, p, oidctest.TokenEndpoint, 1)
		running.signal(signal)
		if r := running.wait(); r.code != 0 && r.code != 130 {
			t.Errorf("exits %d: %s", r.code, r.stderr)
		}
	}
	p.Clear()
	if got := h.token("--force-refresh"); !p.Active(got) || p.Reused() != 0 {
		t.Errorf("accepted %t, %d spent refresh tokens sent", p.Active(got), p.Reused())
	}
}

// TestInterruptedWait: who waits, for the lock or for the person, can be told
// to stop.
func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{Lifetime: time.Second}})
	h := newHome(t, p, "timeout: 20s")
	h.login()
	time.Sleep(1050 * time.Millisecond)

	t.Run("lock", func(t *testing.T) {
		p.Set(oidctest.TokenEndpoint, oidctest.Hold())
		p.ResetCounts()
		holder := h.start("token")
		await(t, p, oidctest.TokenEndpoint, 1)
		waiting := h.start("token")
		time.Sleep(300 * time.Millisecond)
		waiting.interrupt()
		waiting.wait().interrupted()
		p.Clear()
		holder.wait().exits(0)
	})
	t.Run("browser", func(t *testing.T) {
		h := h.with("BROWSER=true")
		p.ResetCounts()
		waiting := h.start("login")
		await(t, p, oidctest.DiscoveryEndpoint, 1)
		time.Sleep(300 * time.Millisecond)
		waiting.interrupt()
		waiting.wait().interrupted()
		h.token() // the former session stays
	})
	t.Run("device", func(t *testing.T) {
		p.ResetCounts()
		waiting := h.start("login", "--device")
		await(t, p, oidctest.DeviceEndpoint, 1)
		time.Sleep(300 * time.Millisecond)
		waiting.interrupt()
		waiting.wait().interrupted()
	})
}
