// Package harness runs the real program against a real provider and a real
// browser for the end-to-end tests.
package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/matrix"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// Binary is the program under test. [Main] builds it.
var Binary string

// Main builds the program from the parent module, runs the tests and exits.
// Each test package calls it from its TestMain.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "oidc-cred-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if Binary = os.Getenv("E2E_BINARY"); Binary != "" {
		return m.Run() // one that somebody else built
	}
	Binary = filepath.Join(dir, "oidc-cred"+exe())
	build := exec.Command("go", "build", "-trimpath", "-o", Binary, ".")
	build.Dir = filepath.Dir(Root())
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	// No cell of the table may claim a test that did not run.
	if err := matrix.Check(testenv.CI()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// Root is the folder of the e2e module.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("harness: no caller information")
	}
	return filepath.Dir(filepath.Dir(file))
}

// Artifact is the path of a file that a test leaves for people to look at.
func Artifact(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(Root(), "artifacts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
