package setup

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// entriesHome is a home directory for what --list looks for.
func entriesHome(t *testing.T, env map[string]string) Common {
	t.Helper()
	home := t.TempDir()
	env["PATH"] = os.Getenv("PATH")
	env["GIT_CONFIG_GLOBAL"] = filepath.Join(home, ".gitconfig")
	return Common{Profile: "work", Executable: "/opt/oidc-cred", Home: home, Getenv: func(name string) string { return env[name] }, Out: new(bytes.Buffer)}
}

func TestGitEntries(t *testing.T) {
	testenv.Program(t, "git")
	c := entriesHome(t, map[string]string{})
	if got, err := gitEntries(c); err != nil || got != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	file := filepath.Join(c.Home, ".gitconfig")
	config := section + `
[credential "http://127.0.0.1:3000"]
	helper = !/usr/bin/oidc-cred helper git
[credential "https://*.example.org:8443"]
	helper = cache
	helper = oidc-cred@home
[credential]
	helper = store
	helper = /usr/bin/git-credential-oidc-cred
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := gitEntries(c)
	want := []Entry{
		{Where: file, Host: "git.example.com", Profile: "work", Program: "/opt/oidc-cred"},
		{Where: file, Host: "http://127.0.0.1:3000", Program: "/usr/bin/oidc-cred"},
		{Where: file, Program: "/usr/bin/git-credential-oidc-cred"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("[user\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gitEntries(c); err == nil {
		t.Error("a broken file is no error")
	}
	none := func(string) string { return "" }
	if got, err := gitEntries(Common{Home: c.Home, Getenv: none}); err != nil || got != nil {
		t.Errorf("without git: %v, %v", got, err)
	}
}

func TestKubectlEntries(t *testing.T) {
	c := entriesHome(t, map[string]string{})
	if got, err := kubectlEntries(c); err != nil || got != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	file := filepath.Join(c.Home, ".kube", "config")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(existing+userText), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := kubectlEntries(c)
	if err != nil || !reflect.DeepEqual(got, []Entry{{Where: file, Profile: "work", Program: "/opt/oidc-cred"}}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(file, []byte("users: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kubectlEntries(c); err == nil {
		t.Error("a broken file is no error")
	}
}
