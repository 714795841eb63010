package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// gitProgram is a git to try, with the git-lfs beside it.
type gitProgram struct {
	path, lfs string
	major     int
	minor     int
}

// selfHealing says whether it asks its helper again after a 401, in the same
// command, and takes a Bearer token: git 2.46 and later, git-lfs 3.6 and later.
func (g gitProgram) selfHealing() bool { return g.major > 2 || g.major == 2 && g.minor >= 46 }

// eachGit runs a test with the machine's git and with the newer one that
// tools/newer-git gets, where they differ. OIDC_CRED_TEST_GIT is the folder of
// one more.
func eachGit(t *testing.T, test func(t *testing.T, g gitProgram)) {
	t.Helper()
	old, err := exec.LookPath("git")
	if err != nil {
		testenv.Need(t, "git", err.Error())
	}
	folders := []string{filepath.Dir(old), filepath.Join(filepath.Dir(harness.Root()), ".tools", "newer-git", "bin")}
	if more := os.Getenv("OIDC_CRED_TEST_GIT"); more != "" {
		folders = append(folders, more)
	}
	tried := map[string]bool{}
	newer := false
	for _, folder := range folders {
		g := gitProgram{path: filepath.Join(folder, "git"), lfs: filepath.Join(folder, "git-lfs")}
		out, err := exec.Command(g.path, "version").Output()
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(out), "git version %d.%d", &g.major, &g.minor); err != nil {
			t.Fatalf("%s version: %q", g.path, out)
		}
		version := fmt.Sprintf("%d.%d", g.major, g.minor)
		if tried[version] {
			continue
		}
		tried[version] = true
		newer = newer || g.selfHealing()
		t.Run("git "+version, func(t *testing.T) { test(t, g) })
	}
	if !newer {
		testenv.Need(t, "git 2.46 or later", "tools/newer-git gets one")
	}
}
