// Package testenv helps tests that need a component of the machine, such as a
// keyring daemon or a browser.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// CI says whether the tests run where every component must be there.
func CI() bool { return os.Getenv("CI") == "true" }

// Need ends the test because a component is missing: loudly skipped on a
// person's machine, failed in CI, where a skipped test would pass for a test
// that ran.
func Need(t testing.TB, component, why string) {
	t.Helper()
	if CI() {
		t.Fatalf("CI must have %s: %s", component, why)
	}
	t.Skipf("SKIPPED, this machine has no %s: %s", component, why)
}

// Program gives the path of a program, or ends the test as [Need] does.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Need(t, name, err.Error())
	}
	return path
}
