package setup

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func (h *toolHome) goauth(g Go) error {
	h.env["GOENV"] = h.path("env")
	var out bytes.Buffer
	common := h.common(&out)
	common.Print, common.Remove = g.Print, g.Remove
	if g.Profile != "" {
		common.Profile = g.Profile
	}
	if g.Executable != "" {
		common.Executable = g.Executable
	}
	if g.Host == "" {
		g.Host = "go.example.com"
	}
	g.Common = common
	err := g.Run(h.t.Context())
	h.last = out.String()
	return err
}

// goEnvOf is what the real go reads.
func (h *toolHome) goEnvOf(name string) string {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), testenv.Program(h.t, "go"), "env", name)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "GOENV="+h.path("env"), "GOAUTH=", "GOPROXY=", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("go env: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSetupGo(t *testing.T) {
	h := newToolHome(t)
	ours := func(profile string) string {
		exe, err := goWord(h.path("bin/oidc-cred"))
		if err != nil {
			t.Fatal(err)
		}
		return exe + " helper go --profile " + profile
	}
	if err := h.goauth(Go{Common: Common{Print: true}}); err != nil || h.read("env") != "(none)" || !strings.Contains(h.last, "GOAUTH="+ours("work")+";netrc") {
		t.Errorf("print: %v, said %q", err, h.last)
	}
	for range 2 {
		if err := h.goauth(Go{}); err != nil || h.read("env") != "GOAUTH="+ours("work")+";netrc\n" {
			t.Fatalf("%v\n%s", err, h.read("env"))
		}
	}
	if !strings.Contains(h.last, "nothing to change") || !strings.Contains(h.last, "GOPRIVATE=go.example.com") {
		t.Errorf("said %q", h.last)
	}
	if got := h.goEnvOf("GOAUTH"); got != ours("work")+";netrc" {
		t.Errorf("go reads %q", got)
	}
	if err := h.goauth(Go{Common: Common{Remove: true}}); err != nil || h.read("env") != "(none)" {
		t.Errorf("removed: %v\n%s", err, h.read("env"))
	}
	if err := h.goauth(Go{Common: Common{Remove: true}}); err != nil || !strings.Contains(h.last, "nothing to remove") {
		t.Errorf("removed again: %v, said %q", err, h.last)
	}

	const before = "# mine\nGOPROXY=https://go.example.com,direct\nGOAUTH=git /src;netrc\nGOFLAGS=-mod=mod"
	h.write("env", before)
	if err := h.goauth(Go{}); err != nil || h.read("env") != strings.Replace(before, "GOAUTH=", "GOAUTH="+ours("work")+";", 1) || h.read("env"+backupSuffix) != before {
		t.Errorf("%v\n%s", err, h.read("env"))
	}
	if !strings.Contains(h.last, "GONOSUMDB") {
		t.Errorf("said %q", h.last)
	}
	// Another profile has an entry of its own, and goes on its own.
	h.write("env", strings.Replace(h.read("env"), "--profile work", "--profile work --no-offline", 1))
	if err := h.goauth(Go{}); err != nil || !strings.Contains(h.read("env"), ours("work")+" --no-offline;git /src") {
		t.Errorf("a switch was lost: %v\n%s", err, h.read("env"))
	}
	if err := h.goauth(Go{Common: Common{Profile: "home"}}); err != nil || !strings.Contains(h.read("env"), "GOAUTH="+ours("home")+";"+ours("work")+" --no-offline;git /src;netrc\n") {
		t.Errorf("two profiles: %v\n%s", err, h.read("env"))
	}
	entries, err := goauthEntries(h.common(nil))
	if err != nil || len(entries) != 2 || entries[1] != (Entry{Where: h.path("env"), Profile: "work", Program: h.path("bin/oidc-cred")}) {
		t.Errorf("entries %+v, %v", entries, err)
	}
	for _, p := range []string{"home", "work"} {
		if err := h.goauth(Go{Common: Common{Profile: p, Remove: true}}); err != nil {
			t.Error(err)
		}
	}
	if h.read("env") != before {
		t.Errorf("removed\n%s", h.read("env"))
	}
}

// What --remove leaves is what was there, also where that is the default.
func TestSetupGoRestores(t *testing.T) {
	for _, before := range []string{"GOAUTH=netrc\n", "GOPROXY=off\n", "GOAUTH=\r\nGOPROXY=off\r\n", "GOPROXY=off"} {
		h := newToolHome(t)
		h.write("env", before)
		if err := h.goauth(Go{}); err != nil {
			t.Fatal(err)
		}
		if err := h.goauth(Go{Common: Common{Remove: true}}); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(before, "GOAUTH=\r\n", "", 1)
		if got := h.read("env"); strings.TrimRight(got, "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("%q became %q", before, got)
		}
	}
}

func TestSetupGoEnvironment(t *testing.T) {
	h := newToolHome(t)
	h.env["GOAUTH"] = "off"
	if err := h.goauth(Go{}); err != nil || !strings.Contains(h.last, "note: GOAUTH is set in the environment") {
		t.Errorf("%v, said %q", err, h.last)
	}
	h.write("env", "GOAUTH=off\n")
	if err := h.goauth(Go{}); err == nil || h.read("env") != "GOAUTH=off\n" {
		t.Errorf("off: %v", err)
	}
	if _, err := goEnvFile(func(string) string { return "off" }); err == nil {
		t.Error("GOENV=off was taken")
	}
	if path, err := goEnvFile(nil); err != nil || !strings.Contains(path, "go") {
		t.Errorf("the usual file is %q, %v", path, err)
	}
	for _, host := range []string{"http://go.example.com", "ssh://go.example.com", "a b", "u@go.example.com"} {
		if err := h.goauth(Go{Host: host}); err == nil {
			t.Errorf("%q was taken", host)
		}
	}
}

func TestGoWord(t *testing.T) {
	for _, words := range [][]string{{"/usr/bin/oidc-cred", "helper"}, {`C:\Program Files\oidc-cred.exe`, "it's", `a"b`, ""}} {
		var line []string
		for _, w := range words {
			word, err := goWord(w)
			if err != nil {
				t.Fatal(err)
			}
			line = append(line, word)
		}
		if got := goSplit(strings.Join(line, " ")); strings.Join(got, "|") != strings.Join(words, "|") {
			t.Errorf("%q through %q: %q", words, line, got)
		}
	}
	for _, w := range []string{"a;b", "a\nb", `'"`} {
		if _, err := goWord(w); err == nil {
			t.Errorf("%q was taken", w)
		}
	}
	if got := goSplit("'open"); got != nil {
		t.Errorf("an open quote: %q", got)
	}
	if runtime.GOOS != "windows" {
		h := newToolHome(t)
		if err := h.goauth(Go{Common: Common{Executable: "/opt/a;b/oidc-cred"}}); err == nil || h.read("env") != "(none)" {
			t.Errorf("a semicolon: %v", err)
		}
	}
}

func FuzzGoWord(f *testing.F) {
	for _, s := range []string{"", "a b", "'", `"`, "a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		goSplit(s)
		word, err := goWord(s)
		if err != nil {
			return
		}
		if got := goSplit(word + " x"); len(got) != 2 || got[0] != s {
			t.Fatalf("%q through %q became %q", s, word, got)
		}
	})
}
