package cache

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// children are what this program does instead of tests when it is started by
// [child], for tests that need a process of its own.
var children = map[string]func() error{}

const childVariable = "OIDC_CRED_TEST_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child starts this program as the named child, under another program if one
// is given.
func child(t *testing.T, name string, under ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(append([]string{}, under...), program)
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	return cmd
}
