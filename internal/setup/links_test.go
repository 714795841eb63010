package setup

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// linkHome is a machine with the program in a folder of its own.
type linkHome struct {
	*testing.T
	Common
	said *bytes.Buffer
	path string
}

func newLinkHome(t *testing.T) *linkHome {
	t.Helper()
	dir := t.TempDir()
	h := &linkHome{T: t, said: &bytes.Buffer{}}
	h.Common = Common{Executable: filepath.Join(dir, "opt", linkName("oidc-cred")), Home: filepath.Join(dir, "home"), Out: h.said}
	h.Getenv = func(name string) string {
		if name == "PATH" {
			return h.path
		}
		return ""
	}
	h.program(h.Executable, "the program")
	h.path = filepath.Dir(h.Executable)
	return h
}

func (h *linkHome) program(path, content string) {
	h.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		h.Fatal(err)
	}
}

func (h *linkHome) mustLink(name string, wantMade bool) string {
	h.Helper()
	h.said.Reset()
	path, made, err := h.link(name, true)
	if err != nil || made != wantMade {
		h.Fatalf("%s: made %v, %v", path, made, err)
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "the program" {
		h.Fatalf("%s leads to %q, %v", path, content, err)
	}
	if h.linked(name) != path && h.BinDir != "" {
		h.Errorf("linked says %q", h.linked(name))
	}
	return path
}

func TestLink(t *testing.T) {
	h := newLinkHome(t)
	path := h.mustLink("docker-credential-oidc-cred", true)
	if filepath.Dir(path) != filepath.Dir(h.Executable) {
		t.Errorf("it is %s", path)
	}
	if said := h.said.String(); !strings.Contains(said, "made "+path) || strings.Contains(said, "note") {
		t.Errorf("said %q", said)
	}
	h.mustLink("docker-credential-oidc-cred", false)
	if h.said.Len() > 0 {
		t.Errorf("said %q", h.said)
	}
	if removed, err := h.unlink("docker-credential-oidc-cred"); !removed || err != nil || exists(path) {
		t.Errorf("%v, %v", removed, err)
	}
	if removed, err := h.unlink("docker-credential-oidc-cred"); removed || err != nil {
		t.Errorf("nothing to remove: %v, %v", removed, err)
	}
	if !exists(h.Executable) {
		t.Error("the program is gone")
	}
}

// A folder that was asked for is made, and PATH is looked at.
func TestLinkInFolder(t *testing.T) {
	h := newLinkHome(t)
	h.BinDir = filepath.Join(h.Home, "a b", "bin")
	path := h.mustLink("oidc-cred-pnpm@work", true)
	if filepath.Dir(path) != h.BinDir || !strings.Contains(h.said.String(), "not in PATH") {
		t.Errorf("%s: said %q", path, h.said)
	}
	other := filepath.Join(h.Home, "first")
	h.program(filepath.Join(other, linkName("oidc-cred-pnpm@work")), "another")
	h.path = other + string(os.PathListSeparator) + h.BinDir
	h.mustLink("oidc-cred-pnpm@work", false)
	if !strings.Contains(h.said.String(), "comes first in PATH") {
		t.Errorf("said %q", h.said)
	}
}

// Where the program's folder can't be written it is ~/.local/bin.
func TestLinkAtHome(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may write everywhere")
	}
	h := newLinkHome(t)
	dir := filepath.Dir(h.Executable)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if want := filepath.Join(h.Home, ".local", "bin", linkName("x")); h.mustLink("x", true) != want {
		t.Errorf("it is not %s", want)
	}
}

// One that is on PATH already serves; a package may have put it there.
func TestLinkOfPackage(t *testing.T) {
	h := newLinkHome(t)
	dir := filepath.Join(h.Home, "usr-bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := linkTo(h.Executable, filepath.Join(dir, linkName("x"))); err != nil {
		t.Fatal(err)
	}
	h.path = dir
	if path := h.mustLink("x", false); filepath.Dir(path) != dir {
		t.Errorf("it is %s", path)
	}
}

// What is not ours is neither overwritten nor removed; a stale link is renewed.
func TestLinkOfOthers(t *testing.T) {
	h := newLinkHome(t)
	path := filepath.Join(filepath.Dir(h.Executable), linkName("keyring"))
	h.program(path, "somebody's")
	if _, _, err := h.link("keyring", false); err == nil || !strings.Contains(err.Error(), "not oidc-cred's") {
		t.Errorf("%v", err)
	}
	if removed, err := h.unlink("keyring"); removed || err != nil {
		t.Errorf("%v, %v", removed, err)
	}
	if content, _ := os.ReadFile(path); string(content) != "somebody's" {
		t.Errorf("it is now %q", content)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, target := range map[string]string{"other": "/bin/true", "dangling": "/nonexistent/keyring"} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.link("keyring", false); err == nil {
			t.Errorf("%s: it was overwritten", name)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/former/place/oidc-cred", path); err != nil {
		t.Fatal(err)
	}
	h.mustLink("keyring", true)
}

// The program itself is none of its links.
func TestLinkIsNotTheProgram(t *testing.T) {
	h := newLinkHome(t)
	if h.ourLink(h.Executable) {
		t.Error("the program would be removed as a link")
	}
	hard := filepath.Join(filepath.Dir(h.Executable), linkName("hard"))
	if err := os.Link(h.Executable, hard); err != nil {
		t.Skip(err)
	}
	if !h.ourLink(hard) {
		t.Error("a hard link is not known")
	}
}

func TestLinkPrint(t *testing.T) {
	h := newLinkHome(t)
	h.Print = true
	want := filepath.Join(filepath.Dir(h.Executable), linkName("x"))
	if got := h.wouldLink("x"); got != want || exists(want) {
		t.Errorf("%s", got)
	}
	h.mustLink("x", true)
	if removed, err := h.unlink("x"); !removed || err != nil || !exists(want) {
		t.Errorf("%v, %v", removed, err)
	}
}

func TestEditFile(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	c := Common{Out: &said}
	path := filepath.Join(dir, "sub", "config")
	write := func(text string) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return []byte(text), nil }
	}
	for i, step := range []struct {
		text    string
		changed bool
		said    string
	}{{"one", true, ""}, {"one", false, ""}, {"two", true, "the former configuration is kept in "}, {"three", true, ""}} {
		said.Reset()
		changed, err := c.editFile(path, 0o600, write(step.text))
		data, _ := os.ReadFile(path)
		if err != nil || changed != step.changed || string(data) != step.text || !strings.HasPrefix(said.String(), step.said) || step.said == "" && said.Len() > 0 {
			t.Errorf("%d: %v, %v, %q, %q", i, changed, err, data, said.String())
		}
	}
	if data, _ := os.ReadFile(path + backupSuffix); string(data) != "one" {
		t.Errorf("the copy has %q", data)
	}
	if runtime.GOOS == "windows" {
		return
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := c.editFile(link, 0o600, write("four")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	target, terr := os.Stat(path)
	if err != nil || terr != nil || info.Mode()&os.ModeSymlink == 0 || target.Mode().Perm() != 0o640 {
		t.Errorf("the link is %v, its target %v", info.Mode(), target.Mode())
	}
}

func TestVersionIn(t *testing.T) {
	for text, want := range map[string]string{
		"git version 2.39.5": "2.39.5",
		"Client Version: v1.33.1\nKustomize Version: v5.6.0": "1.33.1",
		"go version go1.26.8 linux/amd64":                    "1.26.8",
		"aws-cli/2.15.0 Python/3.11.6":                       "2.15.0",
		"Docker version 20.10.24+dfsg1, build 297e128":       "20.10.24+dfsg1",
		"": "", "no number": "",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
