package setup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// dockerWorld is a home with a program in it.
type dockerWorld struct {
	Common
	out bytes.Buffer
	env map[string]string
}

func newDockerWorld(t *testing.T) *dockerWorld {
	t.Helper()
	home := t.TempDir()
	w := &dockerWorld{env: map[string]string{}}
	w.Home, w.BinDir, w.Profile = home, filepath.Join(home, "bin"), "work"
	w.Executable = filepath.Join(home, linkName("oidc-cred"))
	w.Getenv = func(name string) string { return w.env[name] }
	w.Out = &w.out
	w.env["PATH"] = w.BinDir
	if err := os.WriteFile(w.Executable, []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *dockerWorld) run(t *testing.T, change func(*Docker)) (string, error) {
	t.Helper()
	w.out.Reset()
	d := Docker{Common: w.Common, Host: "registry.example.com"}
	if change != nil {
		change(&d)
	}
	err := d.Run(t.Context())
	return strings.ReplaceAll(filepath.ToSlash(w.out.String()), filepath.ToSlash(w.Home), "~"), err
}

func (w *dockerWorld) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(w.Home, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *dockerWorld) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.Home, filepath.FromSlash(name)))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (w *dockerWorld) link() string {
	return filepath.Join(w.BinDir, linkName(dockerLink))
}

const dockerConfig = `{
    "auths": {
        "quay.io": {"auth": "eDp5"}
    },
    "detachKeys": "ctrl-e,e",
    "credHelpers": {
        "ecr.example.com": "ecr-login"
    },
    "credsStore": "desktop"
}
`

func TestDockerSetup(t *testing.T) {
	w := newDockerWorld(t)
	w.write(t, ".docker/config.json", dockerConfig)
	out, err := w.run(t, func(d *Docker) { d.Print = true })
	if err != nil || !strings.Contains(out, "# ~/bin/docker-credential-oidc-cred") || !strings.Contains(out, "# in ~/.docker/config.json\n{\n") {
		t.Errorf("print: %v\n%s", err, out)
	}
	if w.read(t, ".docker/config.json") != dockerConfig {
		t.Error("print has changed the file")
	}
	if _, err := os.Lstat(w.link()); err == nil {
		t.Error("print has made the link")
	}

	out, err = w.run(t, nil)
	if err != nil || !strings.Contains(out, "docker now asks oidc-cred for registry.example.com (~/.docker/config.json)\ntry it: docker login registry.example.com\n") {
		t.Fatalf("run: %v\n%s", err, out)
	}
	want := strings.Replace(dockerConfig, `"ecr-login"`, `"ecr-login",`+"\n        "+`"registry.example.com": "oidc-cred"`, 1)
	if got := w.read(t, ".docker/config.json"); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	if w.read(t, ".docker/config.json.oidc-cred.bak") != dockerConfig {
		t.Error("there is no copy of the former file")
	}
	if !w.ourLink(w.link()) {
		t.Error("the link is not ours")
	}
	entries, err := dockerEntries(w.Common)
	if want := []Entry{{Where: filepath.Join(w.Home, ".docker", "config.json"), Host: "registry.example.com", Program: dockerLink, Link: w.link()}}; err != nil || !reflect.DeepEqual(entries, want) {
		t.Errorf("entries %+v, %v", entries, err)
	}

	if out, err = w.run(t, nil); err != nil || !strings.Contains(out, "already; nothing to change") || w.read(t, ".docker/config.json") != want {
		t.Errorf("again: %v\n%s", err, out)
	}
	if out, err = w.run(t, func(d *Docker) { d.Remove, d.Print = true, true }); err != nil || !strings.Contains(out, "would remove registry.example.com") || !strings.Contains(out, "would remove ~/bin/") || w.read(t, ".docker/config.json") != want {
		t.Errorf("print of a removal: %v\n%s", err, out)
	}
	if out, err = w.run(t, func(d *Docker) { d.Remove = true }); err != nil || !strings.Contains(out, "no longer asks") || w.read(t, ".docker/config.json") != dockerConfig {
		t.Errorf("removal: %v\n%s\n%s", err, out, w.read(t, ".docker/config.json"))
	}
	if _, err := os.Lstat(w.link()); err == nil {
		t.Error("the link is still there")
	}
	if out, err = w.run(t, func(d *Docker) { d.Remove = true }); err != nil || !strings.Contains(out, "nothing to remove") {
		t.Errorf("a second removal: %v\n%s", err, out)
	}
}

// The link stays as long as anything needs it, in docker's file or podman's.
func TestDockerLinkStays(t *testing.T) {
	w := newDockerWorld(t)
	podman := func(d *Docker) { d.Podman = true }
	if out, err := w.run(t, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := w.run(t, podman); err != nil || !strings.Contains(out, "podman now asks") || !strings.Contains(out, "podman login --get-login") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := w.read(t, ".config/containers/auth.json"); !strings.Contains(got, `"registry.example.com": "oidc-cred"`) {
		t.Errorf("auth.json is\n%s", got)
	}
	for i, change := range []func(*Docker){func(*Docker) {}, podman} {
		if out, err := w.run(t, func(d *Docker) { change(d); d.Remove = true }); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if _, err := os.Lstat(w.link()); (err == nil) != (i == 0) {
			t.Errorf("removal %d: the link: %v", i, err)
		}
	}
}

func TestDockerFiles(t *testing.T) {
	w := newDockerWorld(t)
	for _, tt := range []struct {
		env    map[string]string
		podman bool
		want   string
	}{
		{nil, false, "/home/.docker/config.json"},
		{map[string]string{"DOCKER_CONFIG": "/d"}, false, "/d/config.json"},
		{map[string]string{"DOCKER_CONFIG": "/d"}, true, "/home/.config/containers/auth.json"},
		{map[string]string{"XDG_CONFIG_HOME": "/x"}, true, "/x/containers/auth.json"},
		{map[string]string{"XDG_CONFIG_HOME": "/x", "REGISTRY_AUTH_FILE": "/r.json"}, true, "/r.json"},
	} {
		w.Home, w.env = "/home", tt.env
		if got, err := w.dockerFile(tt.podman); err != nil || filepath.ToSlash(got) != tt.want {
			t.Errorf("%v: %s, %v", tt.env, got, err)
		}
	}
}

func TestDockerRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		change       func(*Docker)
		want         string
	}{
		{"another helper", `{"credHelpers": {"registry.example.com": "ecr-login"}}`, nil, `config.json names the helper "ecr-login" for registry.example.com already`},
		{"broken JSON", `{"credHelpers": {`, nil, "config.json: it is not valid JSON"},
		{"another shape", `{"credHelpers": ["x"]}`, nil, "config.json: credHelpers is no JSON object"},
		{"no name", `{"credHelpers": {"registry.example.com": 1}}`, nil, "config.json: credHelpers has no name for registry.example.com"},
		{"a wildcard", "", func(d *Docker) { d.Host = "*.example.com" }, `"*.example.com" is no registry`},
		{"plain http", "", func(d *Docker) { d.Host = "http://registry.example.com" }, "is no registry"},
		{"no host", "", func(d *Docker) { d.Host = "a b" }, `"a b" is no registry`},
		{"Docker Hub", "", func(d *Docker) { d.Host = "docker.io" }, "Docker Hub takes no token of another provider"},
		{"Docker Hub's URL", "", func(d *Docker) { d.Host = "https://index.docker.io/v1/" }, "Docker Hub takes no token of another provider"},
		{"no program", "", func(d *Docker) { d.Executable = "oidc-cred" }, "is not absolute"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newDockerWorld(t)
			if tt.config != "" {
				w.write(t, ".docker/config.json", tt.config)
			}
			if out, err := w.run(t, tt.change); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
			if got := w.read(t, ".docker/config.json"); got != tt.config {
				t.Errorf("the file is now\n%s", got)
			}
		})
	}
}

func TestDockerForms(t *testing.T) {
	for in, want := range map[string]string{
		"registry.example.com":            "registry.example.com",
		"Registry.Example.com:5000":       "registry.example.com:5000",
		"https://registry.example.com/v2": "registry.example.com",
		"registry.example.com/team":       "registry.example.com",
		"http://127.0.0.1:5000":           "127.0.0.1:5000",
		"localhost:5000":                  "localhost:5000",
		"[::1]:5000":                      "[::1]:5000",
	} {
		if got, err := dockerHost(in); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestDockerReplaces(t *testing.T) {
	for before, want := range map[string]string{
		"ecr-login":      "oidc-cred", // with --force
		"oidc-cred@work": "oidc-cred@work",
		"oidc-cred@home": "oidc-cred",
	} {
		w := newDockerWorld(t)
		w.write(t, ".docker/config.json", `{"credHelpers":{"registry.example.com":"`+before+`"}}`)
		if out, err := w.run(t, func(d *Docker) { d.Force = before == "ecr-login" }); err != nil {
			t.Errorf("%s: %v\n%s", before, err, out)
		}
		if got := w.read(t, ".docker/config.json"); got != `{"credHelpers":{"registry.example.com":"`+want+`"}}` {
			t.Errorf("%s became %s", before, got)
		}
	}
}

func TestDockerNotes(t *testing.T) {
	w := newDockerWorld(t)
	w.env["XDG_RUNTIME_DIR"] = filepath.Join(w.Home, "run")
	login := `{"auths": {"registry.example.com": {"auth": "eDp5"}}}`
	w.write(t, ".docker/config.json", login)
	w.write(t, "run/containers/auth.json", login)
	w.Config = "/etc/oidc-cred.yaml"
	w.env["PATH"] = ""
	out, err := w.run(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"note: ~/bin is not in PATH",
		"note: docker calls the helper without arguments, so it needs OIDC_CRED_CONFIG=/etc/oidc-cred.yaml in its environment",
		"note: a password for registry.example.com is still kept in ~/.docker/config.json, under auths",
		"note: podman, skopeo and buildah take the password for registry.example.com in ~/run/containers/auth.json first; 'podman logout registry.example.com' removes it",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A link that a package has brought is not ours to remove.
func TestDockerPackagedLinkStays(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("needs a folder that can't be written")
	}
	w := newDockerWorld(t)
	if out, err := w.run(t, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(w.BinDir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(w.BinDir, 0o755) //nolint:errcheck // for the removal of the folder
	if out, err := w.run(t, func(d *Docker) { d.Remove = true }); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Lstat(w.link()); err != nil {
		t.Error("the link is gone")
	}
}
