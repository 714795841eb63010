//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that somebody else has put into a folder for everybody, such as /tmp,
// chooses nothing. Only root can make such a file here.
func TestFolderFileOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	t.Chdir(t.TempDir())
	a := &app{getenv: func(string) string { return "" }}
	if err := os.WriteFile(folderFile, []byte("work\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		owner int
		mode  os.FileMode
		want  string
	}{
		{0, 0o755, "work"}, {0, os.ModeSticky | 0o777, "work"},
		{65534, 0o755, "work"}, {65534, os.ModeSticky | 0o777, ""},
	} {
		here, err := filepath.Abs(".")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(folderFile, test.owner, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(here, test.mode); err != nil {
			t.Fatal(err)
		}
		if got, _, err := a.folderProfile(); err != nil || got != test.want {
			t.Errorf("owner %d, mode %v: %q, %v, want %q", test.owner, test.mode, got, err, test.want)
		}
	}
}
