package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// environment reads variables from a list, and nothing else.
func environment(list []string) func(string) string {
	return func(name string) string {
		for _, pair := range list {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestSecretService(t *testing.T) {
	s := testenv.SecretService(t)
	testKeychain(t, func(t *testing.T) Keychain {
		return mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())})
	})
}

func TestSecretServiceLabel(t *testing.T) {
	s := testenv.SecretService(t)
	k := mustOpen(t, KeychainOptions{Getenv: environment(s.Env())})
	if k.Name() != SecretService {
		t.Fatal(k.Name())
	}
	if err := k.Set(context.Background(), "abc", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	tool := testenv.Program(t, "secret-tool")
	cmd := exec.Command(tool, "search", "service", "oidc-cred", "account", "abc")
	cmd.Env = append(os.Environ(), s.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "label = oidc-cred: abc\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSecretServiceProblems: whatever state the service is in, each call ends
// in time and says what the matter is.
func TestSecretServiceProblems(t *testing.T) {
	// What this test starts, and what that starts, has the mark.
	mark := fmt.Sprintf("OIDC_CRED_TEST_MARK=%d-%d", os.Getpid(), time.Now().UnixNano())
	name, value, _ := strings.Cut(mark, "=")
	t.Setenv(name, value)
	tests := []struct {
		name    string
		prepare func(t *testing.T) []string
		want    Problem
		atOnce  bool
	}{
		{"no bus in the environment", func(*testing.T) []string { return nil }, ProblemMissing, true},
		{"no socket", func(t *testing.T) []string {
			return []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(t.TempDir(), "none")}
		}, ProblemMissing, true},
		{"no socket in the runtime folder", func(t *testing.T) []string {
			return []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
		}, ProblemMissing, true},
		{"autolaunch", func(t *testing.T) []string {
			return []string{"DBUS_SESSION_BUS_ADDRESS=autolaunch:"}
		}, ProblemMissing, true},
		{"nobody listens", func(t *testing.T) []string {
			l, env := listen(t)
			_ = l.Close()
			return env
		}, ProblemMissing, true},
		{"the bus closes", func(t *testing.T) []string {
			return serve(t, func(c net.Conn) { _ = c.Close() })
		}, ProblemMissing, true},
		{"silent bus", func(t *testing.T) []string {
			return serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		}, ProblemTimeout, false},
		{"bus silent after authentication", func(t *testing.T) []string {
			return serve(t, authenticateOnly)
		}, ProblemTimeout, false},
		{"no service", func(t *testing.T) []string {
			bus := testenv.SessionBus(t)
			if len(marked(t, mark)) == 0 {
				t.Error("the mark does not show")
			}
			return bus.Env()
		}, ProblemMissing, true},
		{"daemon ended", func(t *testing.T) []string {
			s := testenv.SecretService(t)
			s.Quit(t)
			return s.Env()
		}, ProblemMissing, true},
		{"locked", func(t *testing.T) []string {
			s := testenv.SecretService(t)
			k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())})
			if err := k.Set(context.Background(), "key", []byte("secret")); err != nil {
				t.Fatal(err)
			}
			s.Lock(t)
			return s.Env()
		}, ProblemLocked, true},
		{"locked without the item", func(t *testing.T) []string {
			s := testenv.SecretService(t)
			s.Lock(t)
			return s.Env()
		}, ProblemLocked, true},
		{"stopped daemon", func(t *testing.T) []string {
			s := testenv.SecretService(t)
			s.Suspend(t)
			return s.Env()
		}, ProblemTimeout, false},
		{"no default collection", func(t *testing.T) []string {
			return withoutDefault(t)
		}, ProblemMissing, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(test.prepare(t))})
			ctx := context.Background()
			calls := map[string]func() error{
				"get":    func() error { _, err := k.Get(ctx, "key"); return err },
				"set":    func() error { return k.Set(ctx, "key", []byte("secret")) },
				"remove": func() error { return k.Remove(ctx, "key") },
			}
			var wg sync.WaitGroup
			defer wg.Wait()
			for op, call := range calls {
				wg.Go(func() {
					start := time.Now()
					err := call()
					took := time.Since(start)
					if limit := 4 * time.Second; took > limit || test.atOnce && took > 2*time.Second {
						t.Errorf("%s took %v", op, took)
					}
					if op == "remove" && test.name == "no default collection" && err == nil {
						return // nothing to remove is no error
					}
					var failed *KeychainError
					if !errors.As(err, &failed) {
						t.Errorf("%s: %v", op, err)
						return
					}
					if failed.Problem != test.want || failed.Op != op || failed.Backend != SecretService || failed.Hint() == "" {
						t.Errorf("%s: %v (problem %s, hint %q), want %s", op, err, failed.Problem, failed.Hint(), test.want)
					}
				})
			}
		})
	}
	t.Cleanup(func() {
		if left := marked(t, mark); len(left) != 0 {
			t.Errorf("left running: %v", left)
		}
	})
}

// TestSecretServiceStorm: many processes at once neither fail nor bring the
// daemon down (see secretService.enter).
func TestSecretServiceStorm(t *testing.T) {
	s := testenv.SecretService(t)
	o := KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())}
	ctx := context.Background()
	if err := mustOpen(t, o).Set(ctx, "key", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		var wg sync.WaitGroup
		for range 50 {
			k := mustOpen(t, o)
			wg.Go(func() {
				if got, err := k.Get(ctx, "key"); err != nil || string(got) != "secret" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		wg.Wait()
	}
}

// TestSecretServiceCancel: Ctrl-C does not wait for the time limit.
func TestSecretServiceCancel(t *testing.T) {
	env := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(env), Interactive: true})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := k.Get(ctx, "key")
	if !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	var failed *KeychainError
	if errors.As(err, &failed) {
		t.Errorf("a cancelled call is no fault of the keychain: %v", err)
	}
}

// withoutDefault is gnome-keyring as it is started by the bus for a user who
// never had a login keyring.
func withoutDefault(t *testing.T) []string {
	t.Helper()
	program := testenv.Program(t, "gnome-keyring-daemon")
	bus := testenv.SessionBus(t)
	cmd := exec.Command(program, "--start", "--foreground", "--components=secrets")
	cmd.Env = append(os.Environ(), bus.Env()...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	conn, err := dbus.Connect(bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 500 {
		var path dbus.ObjectPath
		call := conn.Object(secretsName, secretsPath).Call(secretsService+"ReadAlias", 0, "default")
		if call.Store(&path) == nil {
			return bus.Env()
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("gnome-keyring-daemon did not come up")
	return nil
}

func listen(t *testing.T) (net.Listener, []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + path}
}

// serve is a bus that does with each connection what handle does.
func serve(t *testing.T, handle func(net.Conn)) []string {
	l, env := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				handle(c)
			}()
		}
	}()
	return env
}

// authenticateOnly lets a client in and then says nothing more.
func authenticateOnly(c net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		switch line := string(buf[:n]); {
		case strings.Contains(line, "AUTH EXTERNAL"):
			_, _ = io.WriteString(c, "OK 0123456789abcdef0123456789abcdef\r\n")
		case strings.Contains(line, "AUTH"):
			_, _ = io.WriteString(c, "REJECTED EXTERNAL\r\n")
		}
	}
}

// marked lists the bus daemons that run with the variable.
func marked(t *testing.T, variable string) (commands []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		environ, err := os.ReadFile(name)
		if err != nil || !slices.Contains(strings.Split(string(environ), "\x00"), variable) {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(filepath.Dir(name), "comm"))
		if err == nil && strings.HasPrefix(string(comm), "dbus-") {
			commands = append(commands, strings.TrimSpace(string(comm)))
		}
	}
	return commands
}

func BenchmarkLoad(b *testing.B) {
	s := testenv.SecretService(b)
	for _, o := range []KeychainOptions{
		{Backend: SecretService, Getenv: environment(s.Env())},
		{Backend: KeyCtl, Service: "oidc-cred-bench"},
		{Backend: File, Dir: b.TempDir(), Passphrase: passphrase(longPassphrase)},
	} {
		b.Run(o.Backend, func(b *testing.B) {
			ctx, dir := context.Background(), b.TempDir()
			k := mustOpen(b, o)
			if err := New(Options{Dir: dir, Keychain: k}).Create(ctx, "bench", make([]byte, 8<<10), nil); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = k.Remove(ctx, "bench") })
			for b.Loop() {
				// A new store each time, as in a new process.
				if _, err := New(Options{Dir: dir, Keychain: mustOpen(b, o)}).Load(ctx, "bench"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
