// Package kube gives tokens to the real kubectl, which shows them to
// kube-apiserver's own OpenID Connect authenticator.
package kube

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// kubectls are the versions to try: what is installed, in PATH or beside that
// with a version in its name, and the one whose modules go.mod names.
func kubectls(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{buildKubectl(t)}
	if first, err := exec.LookPath("kubectl"); err == nil {
		if target, err := filepath.EvalSymlinks(first); err == nil {
			first = target
		}
		paths = append(paths, first)
		for minor := 27; minor <= 40; minor++ {
			version := fmt.Sprintf("1.%d", minor)
			if path := filepath.Join(filepath.Dir(first), "kubectl."+version); isFile(path) {
				paths = append(paths, path)
			}
		}
	}
	found := map[string]string{}
	for _, path := range paths {
		out, err := exec.Command(path, "version", "--client", "-o", "json").Output()
		var version struct {
			ClientVersion struct{ GitVersion string } `json:"clientVersion"`
		}
		if err != nil || json.Unmarshal(out, &version) != nil {
			t.Fatalf("%s version: %v\n%s", path, err, out)
		}
		if strings.Contains(version.ClientVersion.GitVersion, "dispatcher") {
			continue // it asks the server for its version, and runs another kubectl
		}
		found[version.ClientVersion.GitVersion] = path
	}
	return found
}

// buildKubectl builds kubectl from its published modules.
func buildKubectl(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubectl").Output()
	if err != nil {
		t.Fatalf("go list k8s.io/kubectl: %v", err)
	}
	// The modules of kubectl 1.N.P are at v0.N.P.
	version := strings.Replace(strings.TrimSpace(string(out)), "v0.", "v1.", 1)
	path := filepath.Join(t.TempDir(), "kubectl")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion="+version, "-o", path, "./kubectl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kubectl: %v\n%s", err, out)
	}
	return path
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// cluster is a signed-in user with a kubeconfig.
type cluster struct {
	*harness.CLI
	provider *harness.Provider
	server   *apiServer
	kubectl  string
	runs     string
	config   string
}

func newCluster(t *testing.T, kubectl string, o harness.ProviderOptions, profile string) *cluster {
	t.Helper()
	cert := harness.NewCertificate(t)
	o.Cert = cert
	c := &cluster{CLI: harness.NewCLI(t), provider: harness.StartProvider(t, o), kubectl: kubectl}
	c.server = newAPIServer(t, c.provider, cert)
	c.Config(t, fmt.Sprintf(`default_profile: work
profiles:
  work:
    issuer: %s
    client_id: %s
    ca_file: %s
    auth_params: {prompt: consent}
%s`, c.provider.Issuer, harness.ClientID, cert.CAFile, profile))
	browser := harness.NewBrowser(t, harness.BrowserOptions{TrustAny: true})
	c.Set("BROWSER", browser.Program)
	c.OK(t, "login", "--timeout-sign-in", "45s")

	// The plugin is the program, behind a script that counts its runs.
	dir := t.TempDir()
	c.runs = filepath.Join(dir, "runs")
	plugin := filepath.Join(dir, "plugin")
	script := fmt.Sprintf("#!/bin/sh\necho run >>'%s'\nexec '%s' \"$@\"\n", c.runs, harness.Binary)
	if err := os.WriteFile(plugin, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	config := object{
		"kind": "Config", "apiVersion": "v1",
		"clusters": []object{{"name": "test", "cluster": object{
			"server": c.server.URL, "certificate-authority-data": base64.StdEncoding.EncodeToString(cert.CA),
		}}},
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c.config = file
	c.Set("KUBECONFIG", file)
	c.OK(t, "setup", "kubectl", "--cluster", "test", "--use")
	if data, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	counted := strings.Replace(string(data), harness.Binary, plugin, 1)
	if counted == string(data) {
		t.Fatalf("setup wrote no command:\n%s", data)
	}
	if err := os.WriteFile(file, []byte(counted), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// addArgs adds arguments of the plugin, as a person would in the file.
func (c *cluster) addArgs(t *testing.T, args []string) {
	t.Helper()
	for _, arg := range args {
		data, err := os.ReadFile(c.config)
		if err != nil {
			t.Fatal(err)
		}
		more := bytes.Replace(data, []byte("--profile, work"), []byte("--profile, work, "+arg), 1)
		if bytes.Equal(more, data) {
			t.Fatalf("no arguments in\n%s", data)
		}
		if err := os.WriteFile(c.config, more, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *cluster) run(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return c.Program(t, harness.Input{}, c.kubectl, args...)
}

// helperRuns says how often the plugin ran since the last call.
func (c *cluster) helperRuns(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(c.runs)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_ = os.Remove(c.runs)
	return strings.Count(string(data), "run\n")
}

func TestKubectl(t *testing.T) {
	found := kubectls(t)
	versions := slices.Sorted(maps.Keys(found))
	for i, version := range versions {
		kubectl := found[version]
		t.Run(version, func(t *testing.T) {
			t.Run("signed in", func(t *testing.T) { t.Parallel(); testSignedIn(t, kubectl) })
			t.Run("provider down", func(t *testing.T) { t.Parallel(); testProviderDown(t, kubectl, "") })
			if i > 0 && i < len(versions)-1 {
				return // the rest with the oldest and the newest
			}
			t.Run("expiry", func(t *testing.T) { t.Parallel(); testExpiry(t, kubectl) })
			// Offline mode serves the expired token elsewhere; an API server
			// would refuse it.
			t.Run("offline mode", func(t *testing.T) {
				t.Parallel()
				testStaleToken(t, kubectl)
			})
			t.Run("offline mode but not here", func(t *testing.T) {
				t.Parallel()
				testProviderDown(t, kubectl, "    offline: {enabled: true}\n", "--no-offline")
			})
		})
	}
}

func testSignedIn(t *testing.T, kubectl string) {
	c := newCluster(t, kubectl, harness.ProviderOptions{}, "")
	r := c.run(t, "get", "--raw", "/whoami")
	if r.Code != 0 || !strings.Contains(r.Stdout, `"name":"alice"`) || !strings.Contains(r.Stdout, "developers") || r.Stderr != "" {
		t.Errorf("whoami: exit %d, %q, %q", r.Code, r.Stdout, r.Stderr)
	}
	c.helperRuns(t)
	c.server.seen()
	before := c.provider.Log(t).Requests["POST /token"]
	r = c.run(t, "get", "namespaces", "-o", "name")
	requests, refused := c.server.seen()
	if r.Code != 0 || r.Stdout != "namespace/work\n" || r.Stderr != "" || len(refused) > 0 {
		t.Errorf("namespaces: exit %d, %q, %q, refused %q", r.Code, r.Stdout, r.Stderr, refused)
	}
	if runs := c.helperRuns(t); runs != 1 || requests < 2 {
		t.Errorf("the helper ran %d times for %d requests", runs, requests)
	}
	if after := c.provider.Log(t).Requests["POST /token"]; after != before {
		t.Error("a live token was refreshed")
	}
}

func testExpiry(t *testing.T, kubectl string) {
	c := newCluster(t, kubectl, harness.ProviderOptions{AccessTTL: 4 * time.Second, IDTTL: 4 * time.Second}, "")
	c.waitExpired(t)
	c.server.seen()
	r := c.run(t, "get", "namespaces", "-o", "name")
	if _, refused := c.server.seen(); r.Code != 0 || r.Stderr != "" || len(refused) > 0 {
		t.Errorf("after expiry: exit %d, %q, refused %q", r.Code, r.Stderr, refused)
	}
	c.helperRuns(t)

	// One long command across the expiry asks the helper again.
	c.server.setPhase("Pending")
	change := time.AfterFunc(6*time.Second, func() { c.server.setPhase("Active") })
	defer change.Stop()
	r = c.run(t, "wait", "namespace/work", "--for=jsonpath={.status.phase}=Active", "--timeout=30s")
	if _, refused := c.server.seen(); r.Code != 0 || len(refused) > 0 {
		t.Errorf("wait: exit %d, %q, refused %q", r.Code, r.Stderr, refused)
	}
	if runs := c.helperRuns(t); runs < 2 || runs > 6 {
		t.Errorf("the helper ran %d times", runs)
	}
}

// An expired token that can't be refreshed is one clear line.
// testStaleToken: a profile that allows expired tokens sends one here as well.
// The API server refuses it, and the warning says why it was one.
func testStaleToken(t *testing.T, kubectl string) {
	c := newCluster(t, kubectl, harness.ProviderOptions{AccessTTL: 3 * time.Second, IDTTL: 3 * time.Second}, "    offline: {enabled: true}\n")
	c.waitExpired(t)
	c.provider.Down(t)
	c.server.seen()
	c.helperRuns(t)
	r := c.run(t, "get", "--raw", "/whoami")
	_, refused := c.server.seen()
	if r.Code == 0 || r.Stdout != "" || len(refused) == 0 {
		t.Errorf("exit %d, stdout %q, refused %q", r.Code, r.Stdout, refused)
	}
	if !strings.Contains(r.Stderr, "oidc-cred: warning: using_expired_token: ") {
		t.Errorf("stderr says\n%s", r.Stderr)
	}
	// One for the request, and one that client-go makes after the refusal. A
	// stated expiry in the past would make it one for each request.
	if runs := c.helperRuns(t); runs > 2 {
		t.Errorf("the helper ran %d times", runs)
	}
}

func testProviderDown(t *testing.T, kubectl, more string, args ...string) {
	c := newCluster(t, kubectl, harness.ProviderOptions{AccessTTL: 3 * time.Second, IDTTL: 3 * time.Second}, more)
	c.addArgs(t, args)
	c.waitExpired(t)
	c.provider.Down(t)
	c.server.seen()
	c.helperRuns(t)
	r := c.run(t, "get", "--raw", "/whoami")
	requests, _ := c.server.seen()
	if r.Code == 0 || r.Stdout != "" || requests != 0 {
		t.Errorf("exit %d, stdout %q, %d requests", r.Code, r.Stdout, requests)
	}
	if n := strings.Count(r.Stderr, "oidc-cred: error: "); n != 1 || !strings.Contains(r.Stderr, "expired") {
		t.Errorf("%d error lines in\n%s", n, r.Stderr)
	}
	if runs := c.helperRuns(t); runs != 1 {
		t.Errorf("the helper ran %d times", runs)
	}
	t.Logf("kubectl says:\n%s", r.Stderr)

	c.provider.Up(t)
	c.OK(t, "token", "--type", "id", "--force-refresh")
	if r := c.run(t, "get", "namespaces", "-o", "name"); r.Code != 0 {
		t.Errorf("back: exit %d, %q", r.Code, r.Stderr)
	}
}

// waitExpired waits until the ID token has expired.
func (c *cluster) waitExpired(t *testing.T) {
	t.Helper()
	token, _ := c.Token(t, "--type", "id")
	if token.ExpiresAt == nil {
		t.Fatal("the ID token has no expiry")
	}
	time.Sleep(time.Until(token.ExpiresAt.Add(1100 * time.Millisecond)))
}
