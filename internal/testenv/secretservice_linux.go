package testenv

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// loginCollection is the one that gnome-keyring makes when it is unlocked with
// a password, and which the alias "default" then stands for.
const loginCollection = "/org/freedesktop/secrets/collection/login"

// Bus is a private session bus, with nothing on it that could be started on
// demand.
type Bus struct {
	// Address is the value of DBUS_SESSION_BUS_ADDRESS.
	Address string
	// Home and RuntimeDir are fresh folders.
	Home, RuntimeDir string
}

// Env are the variables that lead a program to the bus and away from the
// user's own session. They come after those of [os.Environ].
func (b *Bus) Env() []string {
	return []string{
		"DBUS_SESSION_BUS_ADDRESS=" + b.Address,
		"XDG_RUNTIME_DIR=" + b.RuntimeDir,
		"HOME=" + b.Home,
		"XDG_DATA_HOME=" + filepath.Join(b.Home, ".local", "share"),
		"XDG_CONFIG_HOME=" + filepath.Join(b.Home, ".config"),
		"XDG_CACHE_HOME=" + filepath.Join(b.Home, ".cache"),
		"XDG_STATE_HOME=" + filepath.Join(b.Home, ".local", "state"),
		"XDG_CURRENT_DESKTOP=", "KDE_FULL_SESSION=", "DISPLAY=", "WAYLAND_DISPLAY=",
	}
}

// SessionBus runs a private dbus-daemon until the test ends.
func SessionBus(t testing.TB) *Bus {
	t.Helper()
	daemon := Program(t, "dbus-daemon")
	// Not t.TempDir(): a socket's path must be short.
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &Bus{Home: filepath.Join(dir, "home"), RuntimeDir: filepath.Join(dir, "run")}
	for _, d := range []string{b.Home, b.RuntimeDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Without a service folder the bus starts nothing that would outlive it.
	config := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=` + filepath.Join(b.RuntimeDir, "bus") + `</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	configFile := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--config-file="+configFile, "--nofork", "--nosyslog", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startDaemon(t, cmd)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: no address: %v", daemon, err)
	}
	b.Address = strings.TrimSpace(address)
	return b
}

// startDaemon starts a program that stays in the foreground and ends it with
// the test.
func startDaemon(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A stopped process takes no SIGTERM.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// Secrets is a Secret Service (gnome-keyring) on a private bus.
type Secrets struct {
	Bus
	daemon *os.Process
}

// SecretService runs a private session bus with an unlocked gnome-keyring
// until the test ends.
func SecretService(t testing.TB) *Secrets {
	t.Helper()
	program := Program(t, "gnome-keyring-daemon")
	s := &Secrets{Bus: *SessionBus(t)}
	cmd := exec.Command(program, "--unlock", "--foreground", "--components=secrets")
	cmd.Env = append(os.Environ(), s.Env()...)
	cmd.Stdin = strings.NewReader("pw")
	startDaemon(t, cmd)
	s.daemon = cmd.Process

	conn := s.connect(t)
	defer func() { _ = conn.Close() }()
	for range 500 {
		var path dbus.ObjectPath
		err := secretsCall(t, conn, "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias", "default").Store(&path)
		if err == nil && path == loginCollection {
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("gnome-keyring-daemon did not come up")
	return nil
}

// Lock locks the keyring.
func (s *Secrets) Lock(t testing.TB) {
	t.Helper()
	conn := s.connect(t)
	defer func() { _ = conn.Close() }()
	call := secretsCall(t, conn, "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
		[]dbus.ObjectPath{loginCollection})
	if call.Err != nil {
		t.Fatal(call.Err)
	}
}

// Suspend stops the daemon (SIGSTOP), so that it is there but never answers.
func (s *Secrets) Suspend(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume undoes [Secrets.Suspend].
func (s *Secrets) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// Quit ends the daemon, so that the bus is there without a Secret Service.
func (s *Secrets) Quit(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	conn := s.connect(t)
	defer func() { _ = conn.Close() }()
	for range 500 {
		var owned bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned)
		if err == nil && !owned {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("gnome-keyring-daemon did not end")
}

func (s *Secrets) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.daemon.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (s *Secrets) connect(t testing.TB) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func secretsCall(t testing.TB, conn *dbus.Conn, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return conn.Object("org.freedesktop.secrets", path).CallWithContext(ctx, method, 0, args...)
}
