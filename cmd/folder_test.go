package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseFolderFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want, problem string }{
		"a name":             {"work\n", "work", ""},
		"no newline":         {"work", "work", ""},
		"comments":           {"# our provider\n\n  work  \r\n# end\n", "work", ""},
		"with a mark":        {"\ufeffwork\n", "work", ""},
		"empty":              {"", "", "expected a line"},
		"comments alone":     {"# work\n", "", "expected a line"},
		"two names":          {"work\nhome\n", "", "there are more"},
		"a setting":          {"issuer: https://evil.example\n", "", "expected a name"},
		"two words":          {"work --store file\n", "", "expected a name"},
		"a path":             {"../work\n", "", "expected a name"},
		"a flag":             {"--help\n", "", "expected a name"},
		"a name and comment": {"work # ours\n", "", "expected a name"},
		"control characters": {"wo\x1b[31mrk\n", "", "expected a name"},
		"too long a name":    {strings.Repeat("a", 65), "", "at most 64"},
		"too large":          {strings.Repeat("#", maxFolderFile) + "\n", "", "larger than"},
		"as large as can be": {"work\n" + strings.Repeat("#", maxFolderFile-5), "work", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseFolderFile([]byte(test.text))
			switch {
			case test.problem == "" && (err != nil || got != test.want):
				t.Errorf("%q, %v", got, err)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("%q, %v, want %q", got, err, test.problem)
			}
		})
	}
}

// Whatever is in the file, nothing but a profile's name comes of it, and no
// message repeats what it holds.
func FuzzFolderFile(f *testing.F) {
	for _, seed := range []string{"work\n", "# c\n\nwork", "a\nb", "issuer: x", "\ufeffwork", "\x00", "--profile"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		name, err := parseFolderFile(data)
		if (name == "") == (err == nil) {
			t.Fatalf("%q, %v", name, err)
		}
		if err == nil && (checkProfileName(name) != nil || !strings.Contains(string(data), name)) {
			t.Fatalf("%q", name)
		}
		again, err2 := parseFolderFile(append([]byte("# comment\n\n"), data...))
		if err == nil && len(data) < maxFolderFile-20 && !strings.HasPrefix(string(data), "\ufeff") && (err2 != nil || again != name) {
			t.Fatalf("below a comment: %q, %v", again, err2)
		}
	})
}

// The nearest file counts, from the folder up.
func TestFolderProfile(t *testing.T) {
	top := t.TempDir()
	below := filepath.Join(top, "repo", "src", "deep")
	if err := os.MkdirAll(filepath.Join(below, folderFile), 0o700); err != nil { // a folder so named is passed over
		t.Fatal(err)
	}
	t.Chdir(below)
	a := &app{getenv: func(string) string { return "" }}
	put := func(folder, text string) string {
		path := filepath.Join(top, folder, folderFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := func(name, path string) {
		t.Helper()
		got, from, err := a.folderProfile()
		if err != nil || got != name || name != "" && !sameFile(t, from, path) {
			t.Errorf("%q from %q, %v; want %q from %q", got, from, err, name, path)
		}
	}
	want("", "")
	outer := put(".", "outer\n")
	want("outer", outer)
	inner := put("repo", "inner\n")
	want("inner", inner)

	put("repo", "secret: value\n")
	_, _, err := a.folderProfile()
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), folderFile) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(x, y)
}
