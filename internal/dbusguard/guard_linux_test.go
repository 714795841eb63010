package dbusguard_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/dbusguard"
	// It brings github.com/99designs/keyring, which is what is guarded against.
	_ "github.com/oidc-cred/oidc-cred/pkg/cache"
)

const variable = "DBUS_SESSION_BUS_ADDRESS"

func TestMain(m *testing.M) {
	if os.Getenv("DBUSGUARD_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	dbusguard.Restore()
	address, set := os.LookupEnv(variable)
	fmt.Println(address, set)
}

// run starts this program, whose packages then initialise, and gives what it
// sees of the variable afterwards.
func run(t *testing.T, env ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, variable+"=") })
	cmd.Env = append(append(cmd.Env, "DBUSGUARD_TEST_CHILD=1"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestUntouched: starting the program does not touch the session bus.
func TestUntouched(t *testing.T) {
	dir, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = c.Close()
		}
	}()
	if got, want := run(t, variable+"=unix:path="+path), "unix:path="+path+" true"; got != want {
		t.Errorf("the variable is now %q, want %q", got, want)
	}
	_ = l.Close()
	<-done
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to the session bus", n)
	}
}

// TestNothingLaunched: without a bus none is started.
func TestNothingLaunched(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "called")
	script := "#!/bin/sh\necho called >" + mark + "\n"
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	path := "PATH=" + dir + ":" + os.Getenv("PATH")
	if got := run(t, path); got != "false" {
		t.Errorf("the variable is now %q, it was not set", got)
	}
	if got := run(t, path, variable+"="); got != "true" {
		t.Errorf("the variable is now %q, it was empty", got)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("dbus-launch was started")
	}
}
