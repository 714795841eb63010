package setup

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestPip(t *testing.T) {
	p := newPlace(t)
	run := func(change func(*Pip)) (string, error) {
		pip := Pip{Common: p.Common, Host: "https://pypi.example.com/team/simple/"}
		if change != nil {
			change(&pip)
		}
		err := pip.Run(context.Background())
		return p.said(), err
	}
	bin := filepath.Join(p.Home, ".local", "share", "oidc-cred", "bin")
	if runtime.GOOS == "windows" {
		bin = filepath.Join(p.Home, "oidc-cred", "bin")
	}
	link := filepath.Join(bin, linkName("keyring"))
	usual := filepath.Join(p.Home, "usual")
	theirs := filepath.Join(usual, linkName("keyring"))
	putFile(t, theirs, "the real one")
	if err := os.Chmod(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env["PATH"] = usual

	if text, err := run(func(pip *Pip) { pip.Print = true }); err != nil || exists(link) || !strings.Contains(text, "PIP_KEYRING_PROVIDER") || !strings.Contains(text, link) {
		t.Errorf("--print: %v, %s", err, text)
	}
	text, err := run(nil)
	if err != nil || fileText(t, link) != "a program" {
		t.Fatalf("%v, %s", err, text)
	}
	for _, part := range []string{theirs + " is still asked", bin, "PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER", "--index-url https://oauth2@pypi.example.com/simple/"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if entries, err := pipEntries(p.Common); err != nil || len(entries) != 1 || entries[0] != (Entry{Where: link, Program: "keyring", Link: link}) {
		t.Errorf("entries %v, %v", entries, err)
	} else if err := p.Callable(entries[0]); err == nil || !strings.Contains(err.Error(), theirs+" comes first") {
		t.Errorf("callable: %v", err)
	}

	// The other one first is as bad as ours missing.
	both := []string{usual, bin}
	p.env["PATH"] = strings.Join(both, string(os.PathListSeparator))
	p.env["PIP_KEYRING_PROVIDER"], p.env["UV_KEYRING_PROVIDER"] = "subprocess", "subprocess"
	if text, err := run(nil); err != nil || !strings.Contains(text, bin) || strings.Contains(text, "UV_KEYRING") {
		t.Errorf("%v, %s", err, text)
	}
	p.env["PATH"] = strings.Join([]string{bin, usual}, string(os.PathListSeparator))
	if text, err := run(nil); err != nil || !strings.Contains(text, "nothing to change") {
		t.Errorf("%v, %s", err, text)
	}
	if entries, err := pipEntries(p.Common); err != nil || len(entries) != 1 || entries[0].Where != link {
		t.Errorf("entries %v, %v", entries, err)
	}
	p.Config = filepath.Join(p.Home, "c.yaml")
	if text, err := run(nil); err != nil || !strings.Contains(text, "OIDC_CRED_CONFIG") {
		t.Errorf("%v, %s", err, text)
	}

	if text, err := run(func(pip *Pip) { pip.Remove, pip.Print = true, true }); err != nil || !exists(link) || !strings.Contains(text, "would remove") {
		t.Errorf("%v, %s", err, text)
	}
	if text, err := run(func(pip *Pip) { pip.Remove = true }); err != nil || exists(bin) || fileText(t, theirs) != "the real one" || !strings.Contains(text, "take out") {
		t.Errorf("%v, %s", err, text)
	}
	if text, err := run(func(pip *Pip) { pip.Remove = true }); err != nil || !strings.Contains(text, "nothing to remove") {
		t.Errorf("%v, %s", err, text)
	}
	// A keyring that is not ours is not overwritten.
	if text, err := run(func(pip *Pip) { pip.BinDir = usual }); err == nil || fileText(t, theirs) != "the real one" {
		t.Errorf("%v, %s", err, text)
	}
}

func TestServerURL(t *testing.T) {
	for text, want := range map[string]string{
		"pypi.example.com": "https://pypi.example.com", "https://pypi.example.com:8443/simple/": "https://pypi.example.com:8443",
		"http://127.0.0.1:4873/": "http://127.0.0.1:4873", "pypi.example.com/simple": "https://pypi.example.com",
		"http://pypi.example.com/": "", "*.example.com": "", "https://ada@pypi.example.com/x@y": "https://pypi.example.com", "https://ada@": "", "": "", "ssh://x": "",
	} {
		if got, err := serverURL(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
