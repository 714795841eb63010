package setup

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestGitURL(t *testing.T) {
	for host, want := range map[string]string{
		"git.example.com": "https://git.example.com", "GIT.Example.com:8443": "https://git.example.com:8443",
		"https://git.example.com/": "https://git.example.com", "git.example.com:443": "https://git.example.com",
		"http://127.0.0.1:3000": "http://127.0.0.1:3000", "http://localhost": "http://localhost", "http://[::1]:80": "http://[::1]",
		"[::1]:8443": "https://[::1]:8443", "*.example.com": "https://*.example.com",
		"": "", "https://": "", "http://git.example.com": "", "ssh://git.example.com": "", "git.example.com/group": "",
		"user@git.example.com": "", "git.example.com:": "", "git.example.com:x": "", "a b": "", "*": "", "*.": "", "x\"]": "", "a..b": "",
	} {
		got, err := gitURL(host)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", host, got, err)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || !e.Usage || e.Hint() == "") {
			t.Errorf("%q: error %v", host, err)
		}
	}
}

func TestShellWords(t *testing.T) {
	for _, words := range [][]string{
		{"/usr/bin/oidc-cred", "helper", "git"}, {"C:/Program Files/oidc-cred.exe", "x"}, {`a'b"c\d`, "$HOME", "ünï", "*?[x]"},
	} {
		var line []string
		for _, w := range words {
			line = append(line, shellWord(w))
		}
		if got := shellWords(strings.Join(line, " ")); strings.Join(got, "|") != strings.Join(words, "|") {
			t.Errorf("%q through %q: %q", words, line, got)
		}
	}
	if got := shellWords(`'/a b/oidc-cred' "helper" git`); len(got) != 3 || got[0] != "/a b/oidc-cred" {
		t.Errorf("quotes: %q", got)
	}
	if got := shellWords(`'open`); got != nil {
		t.Errorf("an open quote: %q", got)
	}
}

func FuzzShellWord(f *testing.F) {
	for _, s := range []string{"", "a b", `\`, "'\"", "$(x)", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shellWords(s)
		s = strings.ToValidUTF8(s, "")
		if s == "" {
			return
		}
		if got := shellWords(shellWord(s)); len(got) != 1 || got[0] != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestIsOurs(t *testing.T) {
	const exe = "/opt/x/main"
	for _, tt := range []struct {
		words, protocol string
		want            bool
	}{
		{"/usr/bin/oidc-cred helper git --profile work", "git", true},
		{"/usr/bin/oidc-cred -p work helper git", "git", true},
		{"C:/x/OIDC-Cred.exe helper git", "git", true},
		{exe + " helper git", "git", true},
		{"/usr/bin/git-credential-oidc-cred", "git", true},
		{"kubectl-oidc_cred", "kubectl", true},
		{"/home/a/.krew/bin/kubectl-oidc_cred --profile work", "kubectl", true},
		{"/home/a/.krew/bin/kubectl-oidc_cred helper kubectl --profile work", "kubectl", true},
		{"/home/a/.krew/bin/kubectl-oidc_cred helper git", "git", true},
		{"/home/a/.krew/bin/kubectl-oidc_cred helper git", "kubectl", false},
		{"/usr/bin/oidc-cred helper kubectl", "git", false},
		{"/usr/bin/oidc-cred token", "git", false},
		{"/usr/bin/oidc-cred helper", "git", false},
		{"store", "git", false}, {"cache --timeout 5", "git", false}, {"", "git", false},
		{"/usr/bin/not-oidc-cred helper git", "git", false},
	} {
		if got := isOurs(shellWords(tt.words), tt.protocol, exe); got != tt.want {
			t.Errorf("%q: %v", tt.words, got)
		}
	}
}

// gitHome is a home directory with a git configuration of its own.
type gitHome struct {
	t    *testing.T
	file string
	g    Git
	out  *bytes.Buffer
}

func newGitHome(t *testing.T, config string) *gitHome {
	t.Helper()
	git := testenv.Program(t, "git")
	dir := t.TempDir()
	h := &gitHome{t: t, file: filepath.Join(dir, ".gitconfig"), out: new(bytes.Buffer)}
	h.g = Git{
		Host: "git.example.com", Profile: "work", Executable: "/opt/oidc-cred", Program: git, Out: h.out,
		Env: []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"},
	}
	if config != "" {
		h.write(config)
	}
	return h
}

func (h *gitHome) write(config string) {
	h.t.Helper()
	if err := os.WriteFile(h.file, []byte(config), 0o640); err != nil {
		h.t.Fatal(err)
	}
}

func (h *gitHome) read() string {
	h.t.Helper()
	data, err := os.ReadFile(h.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return string(data)
}

// run runs setup and gives what it said.
func (h *gitHome) run(change ...func(*Git)) string {
	h.t.Helper()
	g := h.g
	for _, c := range change {
		c(&g)
	}
	h.out.Reset()
	if err := g.Run(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.out.String()
}

func removed(g *Git) { g.Remove = true }
func printed(g *Git) { g.Print = true }

const section = "[credential \"https://git.example.com\"]\n\thelper = \n\thelper = /opt/oidc-cred helper git --profile work\n"

func TestGitSetup(t *testing.T) {
	const mine = "# mine\n[user]\n\tname = A B ; comment\n"
	for _, tt := range []struct{ name, before, after, removed string }{
		{"no file", "", section, ""},
		{"others' settings", mine, mine + section, mine},
		{
			"the URL's own settings", "[credential \"https://git.example.com\"]\n\t# who\n\tusername = bob\n",
			"[credential \"https://git.example.com\"]\n\t# who\n\tusername = bob\n" + strings.SplitAfterN(section, "\n", 2)[1],
			"[credential \"https://git.example.com\"]\n\t# who\n\tusername = bob\n",
		},
		{"another copy, another profile", strings.ReplaceAll(section, "/opt/oidc-cred helper git --profile work", "/old/oidc-cred helper git --profile home"), section, ""},
		{
			"the URL's other helper", "[credential \"https://git.example.com\"]\n\thelper = cache\n",
			"[credential \"https://git.example.com\"]\n\thelper = cache\n" + strings.SplitAfterN(section, "\n", 2)[1],
			"[credential \"https://git.example.com\"]\n\thelper = cache\n",
		},
		{
			"a helper after ours", section + "\thelper = store\n",
			"[credential \"https://git.example.com\"]\n\thelper = store\n" + strings.SplitAfterN(section, "\n", 2)[1],
			"[credential \"https://git.example.com\"]\n\thelper = store\n",
		},
		{"a general helper before", "[credential]\n\thelper = store\n", "[credential]\n\thelper = store\n" + section, "[credential]\n\thelper = store\n"},
		{"a general helper after", section + "[credential]\n\thelper = store\n", "[credential]\n\thelper = store\n" + section, "[credential]\n\thelper = store\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newGitHome(t, tt.before)
			if said := h.run(); !strings.Contains(said, "git now asks oidc-cred for https://git.example.com with profile work") {
				t.Errorf("said %q", said)
			}
			if got := h.read(); got != tt.after {
				t.Fatalf("file\n%s\nwant\n%s", got, tt.after)
			}
			if said := h.run(); !strings.Contains(said, "nothing to change") || h.read() != tt.after {
				t.Errorf("the second run said %q and made\n%s", said, h.read())
			}
			if tt.before != "" {
				saved, err := os.ReadFile(h.file + backupSuffix)
				if err != nil || string(saved) != tt.before {
					t.Errorf("copy %q, %v", saved, err)
				}
				if info, err := os.Stat(h.file + backupSuffix); err == nil && info.Mode().Perm() != 0o640 {
					t.Errorf("the copy's mode is %v", info.Mode())
				}
			}
			if said := h.run(removed, printed); !strings.Contains(said, "helper = /opt/oidc-cred helper git --profile work") || h.read() != tt.after {
				t.Errorf("--remove --print said %q", said)
			}
			if said := h.run(removed); !strings.Contains(said, "no longer") {
				t.Errorf("--remove said %q", said)
			}
			if got := h.read(); got != tt.removed {
				t.Errorf("after --remove\n%s\nwant\n%s", got, tt.removed)
			}
			if said := h.run(removed); !strings.Contains(said, "nothing to remove") || h.read() != tt.removed {
				t.Errorf("the second --remove said %q", said)
			}
		})
	}
}

func TestGitSetupNotesALaterStore(t *testing.T) {
	h := newGitHome(t, section+"\tusername = bob\n[credential]\n\thelper = store\n")
	said := h.run()
	if !strings.Contains(said, `note: the helper "store" stands later`) || !strings.Contains(said, "nothing to change") {
		t.Errorf("said %q", said)
	}
}

func TestGitSetupPrints(t *testing.T) {
	h := newGitHome(t, "")
	h.g.Program = "/nonexistent/git" // not needed
	said := h.run(printed, func(g *Git) { g.Executable = "/a b/oidc-cred"; g.Username = "bob" })
	want := "[credential \"https://git.example.com\"]\n\thelper =\n\thelper = /a\\\\ b/oidc-cred helper git --profile work --username bob\n"
	if said != want {
		t.Errorf("%q, want %q", said, want)
	}
	if _, err := os.Stat(h.file); err == nil {
		t.Error("--print wrote the file")
	}
}

// TestGitSetupFiles: it is git that chooses the file.
func TestGitSetupFiles(t *testing.T) {
	t.Run("GIT_CONFIG_GLOBAL", func(t *testing.T) {
		h := newGitHome(t, "[a]\n\tb = c\n")
		other := filepath.Join(t.TempDir(), "other")
		h.g.Env = append(h.g.Env, "GIT_CONFIG_GLOBAL="+other)
		if said := h.run(); !strings.Contains(said, other) {
			t.Errorf("said %q", said)
		}
		h.check("[a]\n\tb = c\n", other, section)
	})
	t.Run("XDG", func(t *testing.T) {
		h := newGitHome(t, "")
		xdg := filepath.Join(filepath.Dir(h.file), ".config", "git", "config")
		if err := os.MkdirAll(filepath.Dir(xdg), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(xdg, []byte("[a]\n\tb = c\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := h.run(); !strings.Contains(said, xdg) {
			t.Errorf("said %q", said)
		}
		h.check("", xdg, "[a]\n\tb = c\n"+section)
		if _, err := os.Stat(xdg + backupSuffix); err != nil {
			t.Error(err)
		}
	})
	t.Run("a symbolic link", func(t *testing.T) {
		h := newGitHome(t, "")
		target := filepath.Join(t.TempDir(), "dotfiles")
		if err := os.WriteFile(target, []byte("[a]\n\tb = c\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, h.file); err != nil {
			t.Fatal(err)
		}
		h.run()
		if info, err := os.Lstat(h.file); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v, %v", info, err)
		}
		h.check("[a]\n\tb = c\n"+section, target, "[a]\n\tb = c\n"+section)
	})
}

func (h *gitHome) check(home, path, want string) {
	h.t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		h.t.Errorf("%s: %v\n%s\nwant\n%s", path, err, got, want)
	}
	if h.read() != home {
		h.t.Errorf("the home's file is\n%s", h.read())
	}
}

func TestGitSetupErrors(t *testing.T) {
	for name, change := range map[string]func(*Git){
		"no profile":          func(g *Git) { g.Profile = "" },
		"a relative program":  func(g *Git) { g.Executable = "oidc-cred" },
		"a plain http server": func(g *Git) { g.Host = "http://git.example.com" },
		"no git":              func(g *Git) { g.Program = "/nonexistent/git" },
		"no home":             func(g *Git) { g.Env = []string{"PATH=" + os.Getenv("PATH")} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newGitHome(t, "")
			g := h.g
			change(&g)
			if err := g.Run(t.Context()); err == nil {
				t.Errorf("said %q", h.out)
			}
			if h.read() != "" {
				t.Error("the file was written")
			}
		})
	}
	t.Run("a broken file", func(t *testing.T) {
		h := newGitHome(t, "[user\n")
		if err := h.g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "bad config") {
			t.Errorf("error %v", err)
		}
		if h.read() != "[user\n" {
			t.Error("the file was written")
		}
	})
}

// TestGitRunsWhatSetupWrote: git itself asks the program, for this server
// alone, and no other helper hears the token.
func TestGitRunsWhatSetupWrote(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script in a folder of a name that Windows does not allow")
	}
	dir := filepath.Join(t.TempDir(), `it's a "path" $HOME & (more)`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "oidc-cred")
	script := "#!/bin/sh\necho \"$@\" >>'" + strings.ReplaceAll(dir, "'", `'\''`) + "/calls'\n[ \"$5\" != get ] || printf 'username=u\\npassword=T1\\n'\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	h := newGitHome(t, "[credential]\n\thelper = store\n")
	h.g.Executable, h.g.Host, h.g.Profile = program, "git.example.com:8443", "my work"
	h.run()
	credential := func(verb, in string) (string, error) {
		cmd := exec.CommandContext(t.Context(), h.g.Program, "credential", verb)
		cmd.Env, cmd.Stdin = h.g.Env, strings.NewReader(in)
		out, err := cmd.Output()
		return string(out), err
	}
	out, err := credential("fill", "protocol=https\nhost=git.example.com:8443\n\n")
	if err != nil || !strings.Contains(out, "password=T1") {
		t.Fatalf("fill: %q, %v", out, err)
	}
	if _, err := credential("approve", out); err != nil {
		t.Fatal(err)
	}
	if out, err := credential("fill", "protocol=https\nhost=git.example.com\n\n"); err == nil {
		t.Errorf("another port was served: %q", out)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if want := "helper git --profile my work get\nhelper git --profile my work store\n"; err != nil || string(calls) != want {
		t.Errorf("calls %q, %v", calls, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(h.file), ".git-credentials")); err == nil {
		t.Error("the store helper was handed the token")
	}
}
