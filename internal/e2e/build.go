// Package e2e tests the program as people and tools meet it: the real binary,
// in processes of its own, against the scripted provider of
// pkg/oidcflow/oidctest. What a process can do that a function call can't is
// tested here: fifty at once, killed at any moment, without a bus, watched by
// strace.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Build builds the program into dir, as it is released, and gives its path.
func Build(dir string) (string, error) {
	name := "oidc-cred"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(dir, name)
	run := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/oidc-cred/oidc-cred") //nolint:noctx // the test's own limit ends it
	run.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := run.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, output)
	}
	return path, nil
}
