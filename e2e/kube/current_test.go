package kube

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// Somebody who signs in with kubelogin changes to the program, which kubectl
// knows as its plugin, as krew installs it: no other copy is in PATH.
func TestKubectlPluginTakesOver(t *testing.T) {
	cert := harness.NewCertificate(t)
	provider := harness.StartProvider(t, harness.ProviderOptions{Cert: cert})
	server := newAPIServer(t, provider, cert)
	c := harness.NewCLI(t)
	dir := t.TempDir()
	plugin := filepath.Join(dir, "kubectl-oidc_cred")
	if err := os.Symlink(harness.Binary, plugin); err != nil {
		t.Fatal(err)
	}
	c.Set("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	config := filepath.Join(dir, "kubeconfig")
	c.Set("KUBECONFIG", config)
	before := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: %s
    certificate-authority: %s
contexts:
- name: test
  context: {cluster: test, user: alice}
users:
- name: alice
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: kubectl
      args: [oidc-login, get-token, --oidc-issuer-url=%s, --oidc-client-id=%s, "--oidc-redirect-url=http://127.0.0.1:0/callback", "--certificate-authority=%s"]
      interactiveMode: IfAvailable
`, server.URL, cert.CAFile, provider.Issuer, harness.ClientID, cert.CAFile)
	if err := os.WriteFile(config, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := buildKubectl(t)
	run := func(args ...string) harness.Result {
		t.Helper()
		r := c.Program(t, harness.Input{}, kubectl, args...)
		if r.Code != 0 {
			t.Fatalf("kubectl %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
		}
		return r
	}
	said := run("oidc-cred", "setup", "kubectl", "--from-current", "--use").Stdout
	for _, want := range []string{"profile test has issuer", "kubectl uses it from now on", "Sign in with: oidc-cred login --profile test"} {
		if !strings.Contains(said, want) {
			t.Errorf("setup does not say %q:\n%s", want, said)
		}
	}
	c.Set("BROWSER", harness.NewBrowser(t, harness.BrowserOptions{TrustAny: true}).Program)
	run("oidc-cred", "login", "--profile", "test", "--auth-param", "prompt=consent", "--timeout-sign-in", "45s")
	if r := run("get", "--raw", "/whoami"); !strings.Contains(r.Stdout, `"name":"alice"`) || r.Stderr != "" {
		t.Errorf("whoami: %q, %q", r.Stdout, r.Stderr)
	}
	// Where it was is what the link's name says, not what it leads to: that is
	// another folder after each update.
	data, err := os.ReadFile(config)
	if err != nil || !strings.Contains(string(data), "command: "+plugin+"\n") {
		t.Errorf("%v in\n%s", err, data)
	}
	if said := run("oidc-cred", "setup", "kubectl", "--from-current").Stdout; !strings.Contains(said, "nothing to change") {
		t.Errorf("a second time it says\n%s", said)
	}
	if said := run("oidc-cred", "setup", "--list").Stdout; !strings.Contains(said, "test") {
		t.Errorf("setup --list does not know of it:\n%s", said)
	}
	run("oidc-cred", "setup", "kubectl", "--remove")
	if data, err := os.ReadFile(config); err != nil || strings.Contains(string(data), "oidc_cred") || !strings.Contains(string(data), "oidc-login") {
		t.Errorf("after --remove: %v\n%s", err, data)
	}
}
