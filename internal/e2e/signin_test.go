package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// dialogue is a program that somebody talks to.
type dialogue struct {
	h     *home
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string
	seen  strings.Builder
}

func (h *home) talk(args ...string) *dialogue {
	h.t.Helper()
	d := &dialogue{h: h, cmd: exec.Command(binary, args...), lines: make(chan string, 100)}
	d.cmd.Env = h.environment()
	stdin, err := d.cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	d.stdin = stdin
	if err := d.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(d.lines)
		for input := bufio.NewScanner(stderr); input.Scan(); {
			d.lines <- input.Text()
		}
	}()
	h.t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

// hears waits for a line that matches, and gives what the expression's group
// has caught.
func (d *dialogue) hears(expression string) string {
	d.h.t.Helper()
	wanted := regexp.MustCompile(expression)
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				d.h.t.Fatalf("it ended without %q:\n%s", expression, d.seen.String())
			}
			d.seen.WriteString(line + "\n")
			if match := wanted.FindStringSubmatch(line); match != nil {
				return match[len(match)-1]
			}
		case <-limit:
			d.h.t.Fatalf("no %q in:\n%s", expression, d.seen.String())
		}
	}
}

func (d *dialogue) says(text string) {
	d.h.t.Helper()
	if _, err := io.WriteString(d.stdin, text+"\n"); err != nil {
		d.h.t.Fatal(err)
	}
}

// ends waits for the end and gives the exit code.
func (d *dialogue) ends() int {
	d.h.t.Helper()
	_ = d.stdin.Close()
	for line := range d.lines {
		d.seen.WriteString(line + "\n")
	}
	_ = d.cmd.Wait()
	d.h.seen.note(d.seen.String())
	return d.cmd.ProcessState.ExitCode()
}

// elsewhereBrowser is a browser on another machine: it ends at a loopback
// address that it can't load, and gives that address.
func elsewhereBrowser(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.Header.Get("Location")
}

// TestPaste: over SSH the address is opened elsewhere, and the one that it
// ended at is pasted.
func TestPaste(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p).with("BROWSER=must-not-be-started")
	d := h.talk("login", "--no-browser")
	address := d.hears(`^ *(http://\S+/authorize\?\S+)`)
	d.says("yes")
	d.hears("That is not it")
	redirect := elsewhereBrowser(t, address)
	d.says(strings.Replace(redirect, "state=", "state=x", 1))
	d.hears("That is not it")
	d.says("  " + redirect + "  ")
	d.hears("Signed in as user-1")
	if code := d.ends(); code != 0 {
		t.Errorf("exits %d:\n%s", code, d.seen.String())
	}
	if got := h.token(); !p.Active(got) {
		t.Error("the provider does not know the token")
	}

	// The redirect works as well, where the browser is on this machine.
	d = h.talk("login", "--no-browser")
	if code := browse(d.hears(`^ *(http://\S+/authorize\?\S+)`), "1"); code != 0 {
		t.Errorf("the browser exits %d", code)
	}
	d.hears("Signed in as user-1")
	if code := d.ends(); code != 0 {
		t.Errorf("exits %d", code)
	}
}

// TestDevice: a code is entered on another device.
func TestDevice(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{DeviceInterval: 1}})
	h := newHome(t, p)
	code := func(d *dialogue) string {
		d.hears("enter the code")
		return d.hears(`^ +([A-Z0-9-]+)$`)
	}
	t.Run("approved", func(t *testing.T) {
		d := h.talk("login", "--device")
		if !p.Approve(code(d)) {
			t.Error("no such code")
		}
		d.hears("Signed in as user-1")
		if got := d.ends(); got != 0 {
			t.Errorf("exits %d", got)
		}
		h.token()
	})
	t.Run("denied", func(t *testing.T) {
		d := h.talk("login", "--device")
		if !p.Deny(code(d)) {
			t.Error("no such code")
		}
		d.hears("oidc-cred: error: sign-in failed: .*access_denied")
		if got := d.ends(); got != 3 {
			t.Errorf("exits %d", got)
		}
		h.token() // the former session stays
	})
	t.Run("outage while waiting", func(t *testing.T) {
		d := h.talk("login", "--device")
		user := code(d)
		p.Set(oidctest.TokenEndpoint, oidctest.Status(503).Times(1))
		d.hears("can't be reached")
		if !p.Approve(user) {
			t.Error("no such code")
		}
		d.hears("Signed in as user-1")
		if got := d.ends(); got != 0 {
			t.Errorf("exits %d", got)
		}
	})
	t.Run("expired", func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits for the code to expire")
		}
		p.Change(func(s *oidctest.Settings) { s.DeviceLifetime = 2 * time.Second })
		h.run("login", "--device").exits(3).quick(10 * time.Second)
	})
	t.Run("not offered", func(t *testing.T) {
		p.Change(func(s *oidctest.Settings) { s.Metadata = map[string]any{"device_authorization_endpoint": nil} })
		if r := h.run("login", "--device").fails(2); !strings.Contains(r.stderr, "without --device") {
			t.Errorf("stderr: %s", r.stderr)
		}
	})
}
