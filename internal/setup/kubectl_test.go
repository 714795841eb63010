package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// existing is a kubeconfig as people have them: kubectl's layout, comments
// and entries of others.
const existing = `apiVersion: v1
# the clusters
clusters:
- cluster:
    certificate-authority-data: QUJD # pinned
    server: https://k.example.com:6443
  name: prod
- cluster:
    server: https://127.0.0.1:1
  name: kind
contexts:
- context:
    cluster: kind
    user: admin
  name: kind
current-context: kind
kind: Config
preferences: {}
users:
# the old way
- name: admin
  user:
    token: "0123"
`

const execText = `  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /opt/oidc-cred
      args:
      - helper
      - kubectl
      - --profile
      - work
      interactiveMode: IfAvailable
`

const userText = `- user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /opt/oidc-cred
      args:
      - helper
      - kubectl
      - --profile
      - work
      interactiveMode: IfAvailable
  name: oidc-cred-work
`

// kubeHome is a folder with a kubeconfig.
type kubeHome struct {
	t    *testing.T
	file string
	k    Kubectl
	out  *bytes.Buffer
	env  map[string]string
}

func newKubeHome(t *testing.T, config string) *kubeHome {
	t.Helper()
	dir := t.TempDir()
	h := &kubeHome{t: t, file: filepath.Join(dir, ".kube", "config"), out: new(bytes.Buffer), env: map[string]string{}}
	h.k = Kubectl{Profile: "work", Executable: toSystem("/opt/oidc-cred"), Home: dir, Out: h.out, Getenv: func(n string) string { return h.env[n] }}
	if config != "" {
		if err := os.Mkdir(filepath.Dir(h.file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.file, []byte(toSystem(config)), 0o660); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(h.file, 0o660); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *kubeHome) read() string {
	h.t.Helper()
	data, err := os.ReadFile(h.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return fromSystem(string(data))
}

func (h *kubeHome) try(change ...func(*Kubectl)) (string, error) {
	k := h.k
	for _, c := range change {
		c(&k)
	}
	h.out.Reset()
	err := k.Run()
	return fromSystem(h.out.String()), err
}

func (h *kubeHome) run(change ...func(*Kubectl)) string {
	h.t.Helper()
	out, err := h.try(change...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func kRemove(k *Kubectl) { k.Remove = true }
func kForce(k *Kubectl)  { k.Force = true }
func kPrint(k *Kubectl)  { k.Print = true }

func TestKubectlSetup(t *testing.T) {
	prod := func(k *Kubectl) { k.Cluster = "prod" }
	joined := "- context:\n    cluster: prod\n    user: oidc-cred-work\n  name: oidc-cred-work@prod\n"
	withContext := strings.Replace(existing, "current-context", joined+"current-context", 1) + userText
	for _, tt := range []struct {
		name   string
		before string
		change func(*Kubectl)
		after  string
		said   string
		undone string // "": before
	}{
		{name: "a user alone", before: existing, after: existing + userText, said: "kubectl --user oidc-cred-work"},
		{name: "a cluster", before: existing, change: prod, after: withContext, said: "kubectl --context oidc-cred-work@prod"},
		{
			name: "named, with a namespace, in use", before: existing,
			change: func(k *Kubectl) {
				k.Cluster, k.User, k.Context, k.Namespace, k.Use = "prod", "me", "here", "web", true
			},
			after: strings.NewReplacer("current-context: kind", "- context:\n    cluster: prod\n    namespace: web\n    user: me\n  name: here\ncurrent-context: here").Replace(existing) +
				strings.Replace(userText, "oidc-cred-work", "me", 1),
			said:   "kubectl uses it from now on",
			undone: strings.Replace(existing, "current-context: kind", `current-context: ""`, 1),
		},
		{
			name: "no file", after: "apiVersion: v1\nkind: Config\nusers:\n" + userText, undone: "apiVersion: v1\nkind: Config\nusers: []\n",
		},
		{
			name: "empty lists", before: "apiVersion: v1\nclusters: null\ncontexts: []\nkind: Config\nusers: null\n",
			after:  "apiVersion: v1\nclusters: null\ncontexts: []\nkind: Config\nusers:\n" + userText,
			undone: "apiVersion: v1\nclusters: null\ncontexts: []\nkind: Config\nusers: []\n",
		},
		{
			name: "another layout", before: "kind: Config\nusers:\n    - name: a # b\n      user:\n        token: x\n",
			after:  "kind: Config\nusers:\n    - name: a # b\n      user:\n        token: x\n    - user:\n        exec:\n            apiVersion: client.authentication.k8s.io/v1\n            command: /opt/oidc-cred\n            args:\n                - helper\n                - kubectl\n                - --profile\n                - work\n            interactiveMode: IfAvailable\n      name: oidc-cred-work\n",
			undone: "kind: Config\nusers:\n    - name: a # b\n      user:\n        token: x\n",
		},
		{
			name:   "ours from elsewhere, with additions by hand",
			before: existing + strings.NewReplacer("/opt/oidc-cred", "/old/oidc-cred # moved", "v1\n", "v1beta1\n", "IfAvailable\n", "Never\n", "- work\n", "- home\n      env: null\n").Replace(userText),
			after:  existing + strings.NewReplacer("/opt/oidc-cred", "/opt/oidc-cred # moved", "v1\n", "v1beta1\n", "IfAvailable\n", "Never\n", "- work\n", "- work\n      env: null\n").Replace(userText),
			undone: existing,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newKubeHome(t, tt.before)
			if tt.change != nil {
				tt.change(&h.k)
			}
			if said := h.run(); !strings.Contains(said, tt.said) {
				t.Errorf("said %q", said)
			}
			if got := h.read(); got != tt.after {
				t.Fatalf("file\n%s\nwant\n%s", got, tt.after)
			}
			if said := h.run(); !strings.Contains(said, "nothing to change") || h.read() != tt.after {
				t.Errorf("the second run said %q and made\n%s", said, h.read())
			}
			h.checkFiles(tt.before)
			if said := h.run(kRemove, kPrint); !strings.Contains(said, "would remove user") || h.read() != tt.after {
				t.Errorf("--remove --print said %q", said)
			}
			h.run(kRemove)
			if tt.undone == "" {
				tt.undone = tt.before
			}
			if got := h.read(); got != tt.undone {
				t.Errorf("after --remove\n%s\nwant\n%s", got, tt.undone)
			}
			if said := h.run(kRemove); !strings.Contains(said, "nothing to remove") || h.read() != tt.undone {
				t.Errorf("the second --remove said %q", said)
			}
		})
	}
}

// checkFiles looks at the modes, the copy and what must not be left behind.
func (h *kubeHome) checkFiles(before string) {
	h.t.Helper()
	mode := os.FileMode(0o600)
	if before != "" {
		mode = 0o660
		saved, err := os.ReadFile(h.file + backupSuffix)
		if err != nil || string(saved) != before {
			h.t.Errorf("copy %q, %v", saved, err)
		}
	}
	if info, err := os.Stat(h.file); err != nil || info.Mode().Perm() != mode && runtime.GOOS != "windows" {
		h.t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(h.file), "*"))
	if err != nil || len(left) > 2 {
		h.t.Errorf("files %v, %v", left, err)
	}
}

func TestKubectlSetupRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config string
		change func(*Kubectl)
		want   string
	}{
		{"another's user", existing, func(k *Kubectl) { k.User = "admin" }, `user "admin"`},
		{"another's context", existing, func(k *Kubectl) { k.Cluster, k.Context = "kind", "kind" }, `context "kind"`},
		{"an unknown cluster", existing, func(k *Kubectl) { k.Cluster = "prd" }, `no cluster "prd"`},
		{"an unknown context", existing, func(k *Kubectl) { k.Context = "x" }, `no context "x"`},
		{"nothing to use", existing, func(k *Kubectl) { k.Use = true }, "--use"},
		{"no profile", existing, func(k *Kubectl) { k.Profile = "" }, "no profile"},
		{"a relative program", existing, func(k *Kubectl) { k.Executable = "oidc-cred" }, "not absolute"},
		{"to remove another's user", existing, func(k *Kubectl) { k.Remove, k.User = true, "admin" }, "not oidc-cred's"},
		{"no YAML", "a: [", nil, "not valid YAML"},
		{"no mapping", "- a\n", nil, "no YAML mapping"},
		{"no list", "users: x\n", nil, "no list"},
		{"two documents", "a: b\n---\nc: d\n", nil, "more than one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newKubeHome(t, tt.config)
			if tt.change != nil {
				tt.change(&h.k)
			}
			out, err := h.try()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, said %q", err, out)
			}
			if h.read() != tt.config {
				t.Errorf("the file was changed:\n%s", h.read())
			}
			if left, _ := filepath.Glob(h.file + ".*"); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestKubectlSetupForce(t *testing.T) {
	h := newKubeHome(t, existing)
	h.k.User, h.k.Cluster, h.k.Context = "admin", "prod", "kind"
	h.run(kForce)
	want := strings.Replace(existing, "    cluster: kind\n", "    cluster: prod\n", 1)
	want = strings.Replace(want, "  user:\n    token: \"0123\"\n", execText, 1)
	if got := h.read(); got != want {
		t.Errorf("file\n%s\nwant\n%s", got, want)
	}
}

func TestKubectlSetupKeepsArgs(t *testing.T) {
	h := newKubeHome(t, existing+strings.Replace(userText, "- work\n", "- work\n      - --offline\n", 1))
	if said := h.run(); !strings.Contains(said, "nothing to change") {
		t.Errorf("said %q", said)
	}
}

func TestKubectlSetupTakesAContextThatJoins(t *testing.T) {
	h := newKubeHome(t, strings.Replace(existing, "user: admin", "user: oidc-cred-work", 1))
	if said := h.run(func(k *Kubectl) { k.Cluster = "kind" }); !strings.Contains(said, "kubectl --context kind …") {
		t.Errorf("said %q", said)
	}
	if said := h.run(kRemove); !strings.Contains(said, "note: context kind still names") {
		t.Errorf("said %q", said)
	}
}

func TestKubectlSetupPrints(t *testing.T) {
	h := newKubeHome(t, "")
	h.k.Cluster = "prod"
	want := "users:\n" + userText + "contexts:\n- context:\n    cluster: prod\n    user: oidc-cred-work\n  name: oidc-cred-work@prod\n"
	if said := h.run(kPrint); said != want {
		t.Errorf("%s\nwant\n%s", said, want)
	}
	if _, err := os.Stat(filepath.Dir(h.file)); err == nil {
		t.Error("--print made the folder")
	}
}

func TestKubectlSetupFiles(t *testing.T) {
	t.Run("KUBECONFIG", func(t *testing.T) {
		h := newKubeHome(t, existing)
		first := filepath.Join(t.TempDir(), "new", "first")
		h.env["KUBECONFIG"] = string(filepath.ListSeparator) + first + string(filepath.ListSeparator) + h.file
		h.k.Cluster = "prod" // named by the second file
		h.run()
		if h.read() != existing {
			t.Error("the second file was changed")
		}
		h.file = first
		if got := h.read(); !strings.Contains(got, userText) || !strings.Contains(got, "cluster: prod") {
			t.Errorf("the first file is\n%s", got)
		}
	})
	t.Run("--kubeconfig", func(t *testing.T) {
		h := newKubeHome(t, existing)
		h.env["KUBECONFIG"] = "/nonexistent/x"
		h.k.Kubeconfig = h.file
		h.run()
		if !strings.Contains(h.read(), userText) {
			t.Error("not written")
		}
	})
	t.Run("a symbolic link", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("they need a privilege on Windows, and Wine shows the target instead")
		}
		h := newKubeHome(t, existing)
		target := filepath.Join(t.TempDir(), "target")
		if err := errors.Join(os.Rename(h.file, target), os.Symlink(target, h.file)); err != nil {
			t.Fatal(err)
		}
		h.run()
		if info, err := os.Lstat(h.file); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v, %v", info, err)
		}
		h.file = target
		if h.read() != existing+userText {
			t.Errorf("the target is\n%s", h.read())
		}
	})
	t.Run("locked by kubectl", func(t *testing.T) {
		h := newKubeHome(t, existing)
		if err := os.WriteFile(h.file+".lock", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := h.try()
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint(), ".lock") || h.read() != existing {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the copy is the oldest", func(t *testing.T) {
		h := newKubeHome(t, existing)
		h.run()
		h.run(func(k *Kubectl) { k.Cluster = "prod" })
		h.checkFiles(existing)
	})
}

// kubectls are the real clients to try: an old and a new one, beside the one
// in PATH, or that one alone.
func kubectls(t *testing.T) []string {
	t.Helper()
	path := testenv.Program(t, "kubectl")
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	var found []string
	for _, version := range []string{"1.27", "1.33"} {
		if p := filepath.Join(filepath.Dir(path), "kubectl."+version); exists(p) {
			found = append(found, p)
		}
	}
	if found == nil {
		return []string{path}
	}
	return found
}

func TestKubectlReadsWhatSetupWrote(t *testing.T) {
	for _, flow := range []bool{false, true} {
		config := existing
		if flow { // JSON is YAML, and some tools write it
			config = `{"apiVersion":"v1","kind":"Config","clusters":[{"name":"prod","cluster":{"server":"https://k.example.com"}}],"users":[],"contexts":null}`
		}
		h := newKubeHome(t, config)
		h.k.Cluster, h.k.Namespace, h.k.Executable = "prod", "web", toSystem("/a b/oidc-cred: #1")
		h.run()
		if said := h.run(); !strings.Contains(said, "nothing to change") {
			t.Errorf("said %q", said)
		}
		for _, kubectl := range kubectls(t) {
			cmd := exec.CommandContext(t.Context(), kubectl, "config", "view", "--raw", "-o", "json", "--minify", "--context", "oidc-cred-work@prod")
			cmd.Env = []string{"KUBECONFIG=" + h.file, "HOME=" + t.TempDir()}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", kubectl, err, out)
			}
			var view struct {
				Users []struct {
					Name string
					User struct {
						Exec struct {
							APIVersion, Command, InteractiveMode string
							Args                                 []string
						}
					}
				}
				Contexts []struct {
					Context struct{ Cluster, User, Namespace string }
				}
			}
			if err := json.Unmarshal(out, &view); err != nil {
				t.Fatal(err)
			}
			if len(view.Users) != 1 || len(view.Contexts) != 1 {
				t.Fatalf("%s sees %s", kubectl, out)
			}
			e := view.Users[0].User.Exec
			if view.Users[0].Name != "oidc-cred-work" || e.Command != h.k.Executable || strings.Join(e.Args, " ") != "helper kubectl --profile work" || e.InteractiveMode != "IfAvailable" || e.APIVersion != "client.authentication.k8s.io/v1" {
				t.Errorf("%s sees %+v", kubectl, view.Users[0])
			}
			if c := view.Contexts[0].Context; c.Cluster != "prod" || c.User != "oidc-cred-work" || c.Namespace != "web" {
				t.Errorf("%s sees %+v", kubectl, c)
			}
		}
	}
}

// FuzzKubeconfig: what can be read can be edited, read again and is then as it
// should be.
func FuzzKubeconfig(f *testing.F) {
	for _, s := range []string{"", existing, existing + userText, "{}", "users: &a []\ncontexts: *a\n", "users: [x, {name: y}]", "? [a]\n: b\n", "a: !!binary x\n", "users:\n- name: oidc-cred-work\n  user: null\n", kubeconfigWith(kubelogin(", --oidc-extra-scope, a"))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		file, err := parseKubeconfig("config", in)
		if err != nil {
			return
		}
		k := Kubectl{Profile: "work", User: "oidc-cred-work", Executable: "/opt/oidc-cred", Force: true}
		if c, err := k.current([]*kubeconfig{file}); err == nil && (c.Cluster == "" || c.OIDC != nil && (c.OIDC.Issuer == "" || c.OIDC.ClientID == "")) {
			t.Fatalf("the current context is %+v", c)
		}
		if err := k.addUser(file); err != nil {
			return
		}
		out, err := file.encode()
		if err != nil {
			return // YAML that can be read and not written; nothing is changed then
		}
		again, err := parseKubeconfig("config", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		entry := again.entry("users", k.User)
		if entry == nil || !k.ours(get(get(entry, "user"), "exec")) {
			t.Fatalf("the user is missing in\n%s", out)
		}
	})
}
