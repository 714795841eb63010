package wine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExec: on Windows the command is a child, whose exit code is passed on.
func TestExec(t *testing.T) {
	h := newHome(t, "file")
	h.login()
	want := h.token()
	r := h.run("exec", "--env", "T", "--", "cmd.exe", "/c", "echo %T%")
	if r.code != 0 || strings.TrimSpace(r.stdout) != want {
		t.Errorf("exit code %d, %q\n%s", r.code, r.stdout, r.stderr)
	}
	// Names of variables have no case here.
	r = h.with("t=former").run("exec", "--env", "T", "--", "cmd.exe", "/c", "set t")
	if !strings.Contains(strings.ToUpper(r.stdout), "T="+strings.ToUpper(want)) || strings.Contains(r.stdout, "former") {
		t.Errorf("%q\n%s", r.stdout, r.stderr)
	}
	if r := h.run("exec", "--env", "T", "--", "cmd.exe", "/c", "exit 7"); r.code != 7 || r.stderr != "" {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if r := h.runWith("typed\n", "exec", "--env", "T", "--", "cmd.exe", "/c", "set /p x= & call echo [%^x%]"); r.code != 0 || !strings.Contains(r.stdout, "typed") {
		t.Errorf("exit code %d, %q\n%s", r.code, r.stdout, r.stderr)
	}
	h.run("exec", "--env", "T", "--env", "t=id", "--", "cmd.exe").exits(2).says("given twice")
	h.run("exec", "--env", "T", "--", "nosuchcommand").exits(127).says("is not found")
}

// TestLinkedNames: without symbolic links a helper's name is a copy.
func TestLinkedNames(t *testing.T) {
	h := newHome(t, "file")
	h.login("--profile", "work")
	profile := []string{"--bin-dir", windowsPath(h.dir + "/bin"), "registry.example.com"}
	h.with("USERPROFILE="+windowsPath(h.dir), "DOCKER_CONFIG="+windowsPath(h.dir+"/docker")).run(append([]string{"setup", "docker"}, profile...)...).exits(0)
	found := ""
	if err := filepath.WalkDir(h.dir+"/bin", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			found = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if filepath.Base(found) != "docker-credential-oidc-cred.exe" {
		t.Fatalf("the link is %q", found)
	}
	former := program
	defer func() { program = former }()
	program = found
	if r := h.runWith("registry.example.com", "get"); r.code != 0 || !strings.Contains(r.stdout, h.tokenBy(former)) {
		t.Errorf("exit code %d, %q\n%s", r.code, r.stdout, r.stderr)
	}
	program = former
	h.with("USERPROFILE="+windowsPath(h.dir), "DOCKER_CONFIG="+windowsPath(h.dir+"/docker")).run(append([]string{"setup", "docker", "--remove"}, profile...)...).exits(0)
	if _, err := os.Stat(found); err == nil {
		t.Error("the link is left")
	}
}

// tokenBy is the token that the program of that path prints.
func (h *home) tokenBy(path string) string {
	h.t.Helper()
	was := program
	defer func() { program = was }()
	program = path
	return h.token()
}
