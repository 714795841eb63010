package registry

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// client is a program that moves images.
type client struct {
	name    string
	program string
	// push makes an image and pushes it; pull pulls it.
	push, pull func(u *user, image string) harness.Result
}

// built gives a client that go.mod names.
func built(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "tool", "-n", name).Output()
	if err != nil {
		t.Fatalf("go tool -n %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// clients are all that push and pull by themselves; docker leaves that to its
// engine.
func clients(t *testing.T) []client {
	t.Helper()
	crane, oras, skopeo := built(t, "crane"), built(t, "oras"), testenv.Program(t, "skopeo")
	return []client{
		{
			name: "crane", program: crane,
			push: func(u *user, image string) harness.Result {
				return u.run(crane, "append", "--new_layer", u.layer(), "--new_tag", image)
			},
			pull: func(u *user, image string) harness.Result {
				return u.run(crane, "pull", image, filepath.Join(u.t.TempDir(), "image.tar"))
			},
		},
		{
			name: "skopeo", program: skopeo,
			push: func(u *user, image string) harness.Result {
				return u.run(skopeo, "--insecure-policy", "copy", "oci:"+u.layout()+":latest", "docker://"+image)
			},
			pull: func(u *user, image string) harness.Result {
				return u.run(skopeo, "--insecure-policy", "copy", "docker://"+image, "oci:"+u.t.TempDir()+":latest")
			},
		},
		{
			name: "oras", program: oras,
			push: func(u *user, image string) harness.Result {
				return u.program(harness.Input{Dir: filepath.Dir(u.layer())}, oras, "push", "--plain-http=false", image, filepath.Base(u.layer()))
			},
			pull: func(u *user, image string) harness.Result {
				return u.run(oras, "pull", "--plain-http=false", "--output", u.t.TempDir(), image)
			},
		},
	}
}

// dockers are the docker CLIs to try: the one that go.mod names and the one
// that is installed, if any is.
func dockers(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"built": built(t, "docker")}
	if path, err := exec.LookPath("docker"); err == nil {
		found["installed"] = path
	}
	return found
}

// layer is a tar file with one file in it.
func (u *user) layer() string {
	u.t.Helper()
	path := filepath.Join(u.dir, "layer.tar")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	content := []byte("hello\n")
	if err := w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: int64(len(content))}); err != nil {
		u.t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		u.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return path
}

// layout is a folder with an image.
func (u *user) layout() string {
	u.t.Helper()
	dir := u.t.TempDir()
	layer, err := random.Layer(512, types.OCILayer)
	if err != nil {
		u.t.Fatal(err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		u.t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		u.t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		u.t.Fatal(err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "latest"}))
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return dir
}

// user is a signed-in person with a registry.
type user struct {
	*harness.CLI
	t        *testing.T
	provider *harness.Provider
	registry *registry
	dir      string
	bin      string // where the helper's link is
}

func newUser(t *testing.T, o harness.ProviderOptions, how, more string) *user {
	t.Helper()
	u := &user{CLI: harness.NewCLI(t), t: t, provider: harness.StartProvider(t, o), dir: t.TempDir()}
	u.registry = newRegistry(t, u.provider, how)
	home := filepath.Dir(u.Home)
	u.bin = filepath.Join(home, "bin")
	u.Set("PATH", u.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	u.Set("SSL_CERT_FILE", u.registry.cert.CAFile)
	u.Set("XDG_RUNTIME_DIR", filepath.Join(home, "run"))
	u.Set("DOCKER_HOST", "tcp://127.0.0.1:9") // nothing listens there: no engine
	u.Config(t, fmt.Sprintf("default_profile: work\nprofiles:\n  work:\n    issuer: %s\n    client_id: %s\n    auth_params: {prompt: consent}\n    resources: [%s]\n%s",
		u.provider.Issuer, harness.ClientID, audience, more))
	browser := harness.NewBrowser(t, harness.BrowserOptions{})
	u.Set("BROWSER", browser.Program)
	u.OK(t, "login", "--timeout-sign-in", "45s")
	u.OK(t, "setup", "docker", u.registry.Host, "--bin-dir", u.bin)
	return u
}

// as is the user in a subtest.
func (u *user) as(t *testing.T) *user {
	sub := *u
	sub.t = t
	return &sub
}

func (u *user) image(name string) string { return u.registry.Host + "/" + name }

func (u *user) run(program string, args ...string) harness.Result {
	u.t.Helper()
	return u.program(harness.Input{}, program, args...)
}

func (u *user) program(in harness.Input, program string, args ...string) harness.Result {
	u.t.Helper()
	return u.Program(u.t, in, program, args...)
}

// good demands success, without a word from the helper.
func (u *user) good(what string, r harness.Result) {
	u.t.Helper()
	if r.Code != 0 {
		u.t.Fatalf("%s: exit %d\n%s\n%s", what, r.Code, r.Stdout, r.Stderr)
	}
	if strings.Contains(r.Stderr+r.Stdout, "oidc-cred:") {
		u.t.Errorf("%s: the helper spoke: %s %s", what, r.Stdout, r.Stderr)
	}
}

// bad demands a failure that says something.
func (u *user) bad(what string, r harness.Result, says string) {
	u.t.Helper()
	if r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, says) {
		u.t.Fatalf("%s: exit %d, want a failure with %q\n%s\n%s", what, r.Code, says, r.Stdout, r.Stderr)
	}
}

// refreshes counts the requests at the provider's token endpoint.
func (u *user) refreshes() int { return u.provider.Log(u.t).Requests["POST /token"] }
