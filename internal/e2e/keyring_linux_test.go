package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// storeLimit is how long a credential store that does not answer may hold up a
// call: its own limit of 3 s and what comes around it.
const storeLimit = 4 * time.Second

// inStore is a home whose keys are kept in another store, in which the program
// sees the variables env.
func inStore(t *testing.T, p *oidctest.Provider, store string, env ...string) *home {
	h := newHome(t, p, "timeout: 5s").without("OIDC_CRED_PASSPHRASE").with("OIDC_CRED_STORE=" + store)
	h = h.with(env...)
	h.t = t
	return h
}

// story is a whole session in a store that works.
func story(t *testing.T, h *home) {
	t.Helper()
	h.login()
	first := h.token()
	if !h.provider.Active(first) {
		t.Error("the provider does not know the token")
	}
	if s := h.status(); s.State != "online" || s.Store == "" || s.Store == "file" {
		t.Errorf("status is %+v", s)
	}
	if second := h.token("--force-refresh"); second == first || h.token() != second {
		t.Error("the token was not renewed")
	}
	h.login() // over a session
	h.token()
	h.run("logout").exits(0)
	h.run("token").fails(3)
	if left, _ := filepath.Glob(filepath.Join(h.dir, "state", "sessions", "*.sealed")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	h.login()
	h.token()
}

// unusable checks what a store that can't be used means for each command.
func unusable(t *testing.T, h *home) {
	t.Helper()
	h.run("token").fails(5).quick(storeLimit)
	h.provider.ResetCounts()
	h.run("login").fails(5).quick(storeLimit)
	if h.provider.Count(oidctest.AuthorizeEndpoint) != 0 {
		t.Error("a person was sent to the browser for a sign-in that can't be kept")
	}
	unaffected(t, h)
	// git is told to stop, and why, so that it does not ask for a password.
	h.config("profiles: {work: {issuer: " + h.provider.Issuer() + ", client_id: oidc-cred, hosts: [git.example.com]}}\n")
	r := h.startWith("protocol=https\nhost=git.example.com\n\n", "helper", "git", "get").wait().exits(0).quick(storeLimit)
	if r.stdout != "quit=1\n" || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("helper git: stdout %q, stderr %q", r.stdout, r.stderr)
	}
}

// unaffected are the commands that have no business with a store.
func unaffected(t *testing.T, h *home) {
	t.Helper()
	for _, args := range [][]string{{"status"}, {"status", "-o", "json"}, {"status", "--history"}, {"--help"}, {"version"}, {"profile", "list"}, {"completion", "bash"}} {
		if r := h.run(args...).exits(0).quick(time.Second); r.stdout == "" {
			t.Errorf("%v prints nothing", args)
		}
	}
	h.run("nonsense").fails(2).quick(time.Second)
}

func TestSecretService(t *testing.T) {
	t.Parallel()
	t.Run("unlocked", func(t *testing.T) {
		t.Parallel()
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
		story(t, h)
		noDaemons(t, h)
	})
	t.Run("auto is the Secret Service", func(t *testing.T) {
		t.Parallel()
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "auto", s.Env()...)
		h.login()
		if got := h.status().Store; got != "secret-service" {
			t.Errorf("the store is %q", got)
		}
	})
	t.Run("locked", func(t *testing.T) {
		t.Parallel()
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
		h.login()
		s.Lock(t)
		if r := h.run("token").fails(5).quick(storeLimit); !strings.Contains(r.stderr, "unlock") {
			t.Errorf("the hint does not say to unlock it:\n%s", r.stderr)
		}
		unusable(t, h)
		noDaemons(t, h)
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		if testing.Short() {
			t.Skip("waits for a daemon that does not answer")
		}
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
		h.login()
		s.Suspend(t)
		unusable(t, h)
		s.Resume(t)
		h.token()
		noDaemons(t, h)
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
		h.login()
		s.Quit(t)
		unusable(t, h)
		noDaemons(t, h)
	})
	t.Run("logout from a stopped one", func(t *testing.T) {
		t.Parallel()
		if testing.Short() {
			t.Skip("waits for a daemon that does not answer")
		}
		s := testenv.SecretService(t)
		h := inStore(t, newProvider(t, oidctest.Options{}), "secret-service", s.Env()...)
		h.login()
		s.Suspend(t)
		h.run("logout").fails(5).quick(2 * storeLimit)
		if left, _ := filepath.Glob(filepath.Join(h.dir, "state", "sessions", "*.sealed")); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		s.Resume(t)
		h.run("token").fails(3)
	})
}

// TestNoBus: a machine without a desktop session. dbus-launch, where it is
// installed, would start a daemon for every call and leave it behind, so it must
// never be called.
func TestNoBus(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	called := filepath.Join(bin, "called")
	if err := os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte("#!/bin/sh\necho called >> "+called+"\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, oidctest.Options{})
	run := t.TempDir()
	for name, env := range map[string][]string{
		"no address":      {"XDG_RUNTIME_DIR=" + run},
		"nobody listens":  {"XDG_RUNTIME_DIR=" + run, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(run, "bus")},
		"unknown address": {"XDG_RUNTIME_DIR=" + run, "DBUS_SESSION_BUS_ADDRESS=nonsense"},
		"autolaunch":      {"XDG_RUNTIME_DIR=" + run, "DBUS_SESSION_BUS_ADDRESS=autolaunch:", "DISPLAY=:99"},
	} {
		t.Run(name, func(t *testing.T) {
			h := signedInFor(t, p, "secret-service", append(env, "PATH="+bin+":"+os.Getenv("PATH"))...)
			unusable(t, h)
			noDaemons(t, h)
		})
	}
	if _, err := os.Stat(called); err == nil {
		t.Error("dbus-launch was called")
	}
}

// TestSilentBus: the bus takes connections and never says a word.
func TestSilentBus(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	dir, err := os.MkdirTemp("", "bus") // not t.TempDir(): a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	h := signedInFor(t, p, "secret-service", "XDG_RUNTIME_DIR="+dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(dir, "bus"))
	unusable(t, h)
	noDaemons(t, h)

	// A profile that keeps its keys elsewhere never meets the bus.
	other := newHome(t, p).with("DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(dir, "bus"))
	other.run("login").exits(0).quick(2 * time.Second)
	other.run("token", "--force-refresh").exits(0).quick(time.Second)
}

// signedInFor is a session whose key is in a store that has gone since.
func signedInFor(t *testing.T, p *oidctest.Provider, store string, env ...string) *home {
	h := newHome(t, p)
	h.login()
	h = h.without("OIDC_CRED_PASSPHRASE").with("OIDC_CRED_STORE=" + store)
	return h.with(env...)
}

// noDaemons: no process that the program started is left, D-Bus daemons above
// all. They are known by the home in their environment.
func noDaemons(t *testing.T, h *home) {
	t.Helper()
	marker := []byte("OIDC_CRED_HOME=" + h.dir + "\x00")
	left := func() (names []string) {
		environs, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, path := range environs {
			if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, marker) {
				command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
				names = append(names, string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
			}
		}
		return names
	}
	// The browser may still be reading its page.
	for range 50 {
		if len(left()) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("still running: %q", left())
}

func TestKeyctl(t *testing.T) {
	t.Parallel()
	keyctl := testenv.Program(t, "keyctl")
	if output, err := exec.Command(keyctl, "add", "user", "oidc-cred:e2e-probe", "x", "@u").CombinedOutput(); err != nil {
		testenv.Need(t, "keyctl", "the kernel's keyring can't be used: "+string(output))
	}
	_ = exec.Command(keyctl, "purge", "user", "oidc-cred:e2e-probe").Run()
	p := newProvider(t, oidctest.Options{})
	h := inStore(t, p, "keyctl")
	t.Cleanup(func() { h.run("logout") })
	story(t, h)
	unaffected(t, h)
	secretStory(t, h)
}

func TestPass(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"pass", "gpg", "gpgconf"} {
		testenv.Program(t, program)
	}
	dir, err := os.MkdirTemp("", "gpg") // not t.TempDir(): the agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := []string{"GNUPGHOME=" + dir, "PASSWORD_STORE_DIR=" + filepath.Join(dir, "store")}
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), env...)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, output)
		}
	}
	t.Cleanup(func() { run("gpgconf", "--kill", "all") })
	run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "e2e", "future-default", "default", "never")
	run("pass", "init", "e2e")

	p := newProvider(t, oidctest.Options{})
	h := inStore(t, p, "pass", env...)
	story(t, h)
	unaffected(t, h)
	// gpg, which lacks the key here, says so on stderr itself.
	r := h.with("GNUPGHOME=" + t.TempDir()).run("token").exits(5).quick(storeLimit)
	if !strings.Contains(r.stderr, "oidc-cred: error: ") || !strings.Contains(r.stderr, "oidc-cred: hint: ") {
		t.Errorf("stderr: %s", r.stderr)
	}
	secretStory(t, h)
}

// TestFileStore: no passphrase, a wrong one, and a damaged key file.
func TestFileStore(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p)
	h.login()
	t.Run("no passphrase", func(t *testing.T) {
		c := h.copy(t).without("OIDC_CRED_PASSPHRASE")
		if r := c.run("token").fails(5); !strings.Contains(r.stderr, "OIDC_CRED_PASSPHRASE") {
			t.Errorf("the hint does not name the variable:\n%s", r.stderr)
		}
		unaffected(t, c)
	})
	t.Run("wrong passphrase", func(t *testing.T) {
		h.copy(t).with("OIDC_CRED_PASSPHRASE=another-one-that-is-long-enough-too").run("token").fails(5)
	})
	t.Run("passphrase_command", func(t *testing.T) {
		c := h.copy(t).without("OIDC_CRED_PASSPHRASE").with("OIDC_CRED_PASSPHRASE_COMMAND=echo "+passphrase, "X=1")
		c.token()
		c.with("OIDC_CRED_PASSPHRASE_COMMAND=echo a-secret-on-stdout; exit 3").run("token").fails(5)
	})
	t.Run("damaged", func(t *testing.T) {
		for _, pattern := range []string{"keys/*.key", "sessions/*.sealed"} {
			for _, content := range []string{"", "garbage", strings.Repeat("x", 2<<20)} {
				c := h.copy(t)
				files, _ := filepath.Glob(filepath.Join(c.dir, "state", pattern))
				if len(files) != 1 {
					t.Fatalf("%s: %v", pattern, files)
				}
				if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				c.run("token").fails(5)
				c.run("status").exits(0)
				// The hint says to sign in again, and that must help.
				c.login()
				c.token()
			}
		}
	})
}
