package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// stores measures the warm path with the two stores that need no daemon.
func (b *bench) stores() error {
	for _, store := range []string{"keyctl", "file"} {
		p, err := b.home(store)
		if err != nil {
			if store == "keyctl" {
				b.notes = append(b.notes, "keyctl: not measured, this kernel gives no keyring here")
				continue
			}
			return err
		}
		if err := b.row("`token`, warm, key in "+store, p, 2.2, 0, "token"); err != nil {
			return err
		}
		if err := b.row("`status`, key in "+store, p, 2.2, 0, "status"); err != nil {
			return err
		}
		if store == "keyctl" {
			defer p.once(0, "logout", "--no-revoke") //nolint:errcheck // leaves no key behind
		}
	}
	return nil
}

// withSecretService runs this program again inside a session bus of its own
// with an unlocked keyring.
func (b *bench) withSecretService() error {
	for _, need := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(need); err != nil {
			b.notes = append(b.notes, "Secret Service: not measured, this machine has no "+need)
			return nil
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	home, run := filepath.Join(b.dir, "bus-home"), filepath.Join(b.dir, "bus-run")
	for _, dir := range []string{home, run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	const unlock = `echo -n bench | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$@"`
	c := exec.CommandContext(b.ctx, "dbus-run-session", "--", "bash", "-c", unlock, "_", self, "-inside", "-n", strconv.Itoa(b.runs)) //nolint:gosec // ourselves
	for _, e := range cleanEnv() {
		if !strings.HasPrefix(e, "HOME=") && !strings.HasPrefix(e, "XDG_") && !strings.HasPrefix(e, "DISPLAY=") && !strings.HasPrefix(e, "DBUS_") {
			c.Env = append(c.Env, e)
		}
	}
	c.Env = append(c.Env, "HOME="+home, "XDG_RUNTIME_DIR="+run, "BENCH_HELLO="+b.hello, "BENCH_BINARY="+b.binary)
	c.Stderr = os.Stderr
	output, err := c.Output()
	if err != nil {
		return fmt.Errorf("secret service part: %w: %s", err, output)
	}
	for line := range strings.Lines(string(output)) {
		var r row
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 5 && f[0] == "row" {
			r.what = f[1]
			r.base, r.median, r.low = parse(f[2]), parse(f[3]), parse(f[4])
			r.limit = "at most 2.2 × + 3ms"
			r.reached = yes(r.median <= time.Duration(2.2*float64(r.base))+3*time.Millisecond)
			b.rows = append(b.rows, r)
		}
	}
	return nil
}

func parse(s string) time.Duration {
	n, _ := strconv.ParseInt(s, 10, 64)
	return time.Duration(n)
}

func (b *bench) secretService() error {
	p, err := b.home("secret-service")
	if err != nil {
		return err
	}
	if err := b.row("`token`, warm, key in Secret Service", p, 2.2, 3*time.Millisecond, "token"); err != nil {
		return err
	}
	for _, r := range b.rows {
		fmt.Printf("row\t%s\t%d\t%d\t%d\n", r.what, r.base, r.median, r.low)
	}
	return nil
}

// backoff measures a token that has expired in an outage.
func (b *bench) backoff() error {
	b.provider.Lifetime(2 * time.Second)
	defer b.provider.Lifetime(time.Hour)
	p, err := b.home("file", "--offline-enabled", "--refresh-before", "1s")
	if err != nil {
		return err
	}
	b.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503).RetryAfter("3600"))
	defer b.provider.Clear()
	time.Sleep(2500 * time.Millisecond)
	before := b.provider.Count(oidctest.TokenEndpoint)
	if err := b.row("`token`, offline, expired, in the backoff, key in file", p, 2.2, 0, "token"); err != nil {
		return err
	}
	b.notes = append(b.notes, fmt.Sprintf("In the backoff, %d calls cost %d request to the provider.", b.runs+5, b.provider.Count(oidctest.TokenEndpoint)-before))
	return nil
}

// parallel measures 50 warm calls at once.
func (b *bench) parallel() error {
	const n = 50
	p, err := b.home("file")
	if err != nil {
		return err
	}
	var base, mine, inTurn []time.Duration
	for i := range 22 {
		h, err := wave(n, program{path: b.hello, env: p.env})
		if err != nil {
			return err
		}
		m, err := wave(n, *p, "token")
		if err != nil {
			return err
		}
		var one time.Duration
		for range n {
			h, err := program{path: b.hello, env: p.env}.once(0)
			if err != nil {
				return err
			}
			one += h
		}
		if i >= 2 {
			base, mine, inTurn = append(base, h), append(mine, m), append(inTurn, one)
		}
	}
	r := row{what: "50 warm `token` at once, until the last has ended", base: median(base), median: median(mine), low: slices.Min(mine), limit: "at most 1.5 ×"}
	r.reached = yes(float64(r.median) <= 1.5*float64(r.base))
	b.rows = append(b.rows, r)
	r.what, r.base = "the same, against 50 hello worlds one after another", median(inTurn)
	r.reached = yes(float64(r.median) <= 1.5*float64(r.base))
	b.rows = append(b.rows, r)
	return nil
}

// outage measures the first call when the provider accepts connections and
// never answers, and the second.
func (b *bench) outage() error {
	b.provider.Lifetime(2 * time.Second)
	defer b.provider.Lifetime(time.Hour)
	p, err := b.home("file", "--offline-enabled", "--timeout", "2s")
	if err != nil {
		return err
	}
	time.Sleep(2500 * time.Millisecond)
	b.provider.BlackHole()
	defer b.provider.Release()
	first, err := p.once(0, "token")
	if err != nil {
		return err
	}
	second, err := p.once(0, "token")
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		row{what: "first call in an outage (the provider never answers; `timeout: 2s`)", median: first, limit: "within the timeout", reached: yes(first <= 2*time.Second)},
		row{what: "the call after it", median: second, limit: "as fast as warm", reached: yes(second < 50*time.Millisecond)})
	return nil
}

// sizes notes the binary's size and the memory it takes.
func (b *bench) sizes() error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	mb := float64(info.Size()) / 1e6
	b.notes = append(b.notes, fmt.Sprintf("The stripped binary has %.1f MB (wanted: at most 16 MB, %s).", mb, yes(mb <= 16)))
	p, err := b.home("file")
	if err != nil {
		return err
	}
	// Through a small program: a child's peak starts at its parent's size.
	text, err := b.output(p.env, "/usr/bin/time", "-f", "%M", p.path, "token")
	if err != nil {
		b.notes = append(b.notes, "Resident memory: not measured, this machine has no /usr/bin/time.")
		return nil //nolint:nilerr // said in the notes
	}
	fields := strings.Fields(text)
	kib, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return fmt.Errorf("read the resident memory: %w", err)
	}
	b.notes = append(b.notes, fmt.Sprintf("A warm `token` takes %.1f MiB resident at its peak (wanted: at most 12 MiB, %s).", float64(kib)/1024, yes(kib <= 12<<10)))
	return nil
}

// network counts the network system calls of the warm path.
func (b *bench) network() error {
	p, err := b.home("file")
	if err != nil {
		return err
	}
	for _, command := range []string{"token", "status"} {
		text, err := b.output(p.env, "strace", "-f", "-e", "trace=network", p.path, command)
		if err != nil {
			b.notes = append(b.notes, "Network system calls: not counted, this machine has no strace.")
			return nil //nolint:nilerr // said in the notes
		}
		calls := regexp.MustCompile(`(?m)\b(socket|connect|bind|sendto|recvfrom|sendmsg|recvmsg|getsockopt|setsockopt|getpeername|getsockname|socketpair|listen|accept4?)\(`).FindAllString(text, -1)
		b.notes = append(b.notes, fmt.Sprintf("A warm `%s` makes %d network system calls (strace).", command, len(calls)))
	}
	return nil
}
