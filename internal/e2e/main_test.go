package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	// The program's $BROWSER is this test binary.
	if certificates := os.Getenv(browserVariable); certificates != "" && len(os.Args) == 2 {
		os.Exit(browse(os.Args[1], certificates))
	}
	os.Exit(run(m))
}

// readSources makes `go test` note that the tests depend on the program: it
// keeps their result until a file changes that they have looked at, and knows
// nothing of what a program built from them has.
var readSources = sync.OnceFunc(func() {
	for _, name := range []string{"main.go", "go.mod", "cmd", "internal", "pkg"} {
		_ = filepath.WalkDir(filepath.Join("..", "..", name), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
	}
})

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "oidc-cred-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
