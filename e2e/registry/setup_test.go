package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// skopeo and podman read the same files. Which of them comes first is theirs to
// decide, so it is tried here.
func TestPodmanFiles(t *testing.T) {
	skopeo := testenv.Program(t, "skopeo")
	u := newUser(t, harness.ProviderOptions{}, byToken, "")
	image := u.image("team/app:v1")
	inspect := func(env ...string) harness.Result {
		return u.program(harness.Input{Env: env}, skopeo, "inspect", "--raw", "docker://"+image)
	}
	u.good("push", clients(t)[1].push(u, image))
	u.good("docker's configuration", inspect())

	u.OK(t, "setup", "docker", u.registry.Host, "--bin-dir", u.bin, "--remove")
	u.bad("no configuration", inspect(), "")
	if _, err := os.Lstat(filepath.Join(u.bin, "docker-credential-oidc-cred")); err == nil {
		t.Error("the link is still there")
	}

	u.OK(t, "setup", "docker", "--podman", u.registry.Host, "--bin-dir", u.bin)
	u.good("podman's configuration", inspect())
	if r := u.run(skopeo, "login", "--get-login", u.registry.Host); r.Stdout != "oauth2\n" {
		t.Errorf("get-login: %q %q", r.Stdout, r.Stderr)
	}
	u.OK(t, "setup", "docker", "--podman", u.registry.Host, "--bin-dir", u.bin, "--remove")
	u.bad("no configuration", inspect(), "")

	file := filepath.Join(u.dir, "auth.json")
	u.Set("REGISTRY_AUTH_FILE", file)
	u.OK(t, "setup", "docker", "--podman", u.registry.Host, "--bin-dir", u.bin)
	u.good("a file of its own", inspect())
	u.OK(t, "setup", "docker", "--podman", u.registry.Host, "--bin-dir", u.bin, "--remove")
	u.Set("REGISTRY_AUTH_FILE", "")

	// A login in podman's own file wins: setup says so.
	if err := os.MkdirAll(filepath.Join(filepath.Dir(u.Home), "run", "containers"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.write("run/containers/auth.json", `{"auths": {"`+u.registry.Host+`": {"auth": "Ym9iOndyb25n"}}}`)
	r := u.OK(t, "setup", "docker", u.registry.Host, "--bin-dir", u.bin)
	if !strings.Contains(r.Stdout, "'podman logout "+u.registry.Host+"' removes it") {
		t.Errorf("setup: %q", r.Stdout)
	}
	u.bad("the wrong password", inspect(), "")
	u.good("logout", u.run(skopeo, "logout", u.registry.Host))
	u.good("docker's configuration again", inspect())
}

// The name of a profile after "@" is for two of them at one registry.
func TestProfileInName(t *testing.T) {
	u := newUser(t, harness.ProviderOptions{}, byToken, "")
	crane := clients(t)[0]
	u.good("push", crane.push(u, u.image("team/app:v1")))
	if err := os.Symlink(harness.Binary, filepath.Join(u.bin, "docker-credential-oidc-cred@work")); err != nil {
		t.Fatal(err)
	}
	u.write(".docker/config.json", `{"credHelpers": {"`+u.registry.Host+`": "oidc-cred@work"}}`)
	u.Set("OIDC_CRED_PROFILE", "another")
	u.good("pull", crane.pull(u, u.image("team/app:v1")))
}
