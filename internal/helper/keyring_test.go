package helper

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestKeyring(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		target     Target
		src        *fakeSource
		out        string
		err        string
		code       int
		warned     bool
	}{
		{name: "pip", args: "get https://git.example.com/simple/ ada", out: "T1\n"},
		{name: "pip, then the host", args: "get git.example.com ada", out: "T1\n"},
		{name: "a port", args: "get https://a.dev.example.com:8443/simple ada", out: "T1\n"},
		{name: "newer pip", args: "--mode=creds --output=json get https://git.example.com/simple/", out: "{\"username\":\"oauth2\",\"password\":\"T1\"}\n"},
		{name: "newer pip with a user", args: "--mode=creds --output=json get https://git.example.com/simple/ ada", out: "{\"username\":\"ada\",\"password\":\"T1\"}\n"},
		{name: "the profile's user", args: "--mode=creds --output=json get git.example.com", target: Target{Username: "bob"}, out: "{\"username\":\"bob\",\"password\":\"T1\"}\n"},
		{name: "uv", args: "get https://git.example.com/simple/ --mode creds", out: "oauth2\nT1\n"},
		{name: "password as JSON", args: "--output json get git.example.com ada", out: "{\"password\":\"T1\"}\n"},
		{name: "a user in the URL", args: "get https://ada@git.example.com/simple/ ada", out: "T1\n"},
		{name: "expired", args: "get git.example.com ada", src: &fakeSource{tokens: []*session.Token{expired("T1")}}, out: "T1\n", warned: true},
		{name: "http on this machine", args: "get http://localhost:3000/simple/ ada", out: "T1\n"},
		{name: "plain http", args: "get http://plain.example.com/simple/ ada", err: "plain http"},
		{name: "signed out", args: "get git.example.com ada", src: &fakeSource{err: errSignIn}, err: "sign-in required"},
		{name: "a token with a line end", args: "get git.example.com --mode creds", src: &fakeSource{tokens: []*session.Token{live("T1\nx")}}, err: "line end"},
		{name: "set", args: "set git.example.com ada", err: "keeps no password"},
		{name: "del", args: "del https://git.example.com/ ada", err: "keeps no password"},
		// No other keyring is in PATH.
		{name: "unmapped", args: "get https://pypi.org/simple/ ada", code: 1},
		{name: "no server", args: "get mail ada", code: 1},
		{name: "another backend", args: "-b keyring.backends.null.Keyring get git.example.com ada", code: 1},
		{name: "an option without its value", args: "get git.example.com --mode", code: 1},
		{name: "an unknown mode", args: "--mode=all get git.example.com", code: 1},
		{name: "set elsewhere", args: "set mail ada", err: "no other is behind it"},
		{name: "list", args: "--list-backends", err: "no other is behind it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			tt.target.Source, tt.target.Profile = tt.src, "work"
			w := newWorld(&tt.target, "")
			err := Keyring(t.Context(), w.env, strings.Fields(tt.args))
			if got := w.out.String(); got != tt.out {
				t.Errorf("answer %q, want %q", got, tt.out)
			}
			answered := Answered{}
			switch {
			case tt.code != 0:
				if !errors.As(err, &answered) || answered.Code != tt.code {
					t.Errorf("error %v, want exit %d in silence", err, tt.code)
				}
			case (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err):
				t.Errorf("error %v", err)
			}
			if w.errs.Len() > 0 {
				t.Errorf("stderr %q", w.errs.String())
			}
			if warned := len(w.warned) > 0; warned != tt.warned {
				t.Errorf("warned: %v", w.warned)
			}
		})
	}
}

func TestKeyringPassesOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the keyring command is a script here")
	}
	own, theirs := t.TempDir(), t.TempDir()
	if err := os.Symlink(self(t), filepath.Join(own, "keyring")); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncat\necho \"$PATH|$*\"\necho trouble >&2\nexit 7\n"
	if err := os.WriteFile(filepath.Join(theirs, "keyring"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	list := strings.Join([]string{own, "", "relative", theirs, "/usr/bin", "/bin"}, ":")
	w := newWorld(&Target{Source: &fakeSource{}}, "typed\n")
	w.env.Getenv = func(name string) string { return map[string]string{"PATH": list}[name] }
	err := Keyring(t.Context(), w.env, []string{"set", "mail", "a da"})
	if answered := (Answered{}); !errors.As(err, &answered) || answered.Code != 7 {
		t.Errorf("error %v", err)
	}
	want := "typed\n" + strings.TrimPrefix(list, own+":") + "|set mail a da\n"
	if w.out.String() != want || w.errs.String() != "trouble\n" {
		t.Errorf("%q %q, want %q", w.out.String(), w.errs.String(), want)
	}
}

// Every call that is answered is one that the keyring command would answer in
// the same form, and only for a mapped server.
func FuzzKeyring(f *testing.F) {
	for _, args := range []string{"get https://git.example.com/simple/ ada", "--mode=creds --output=json get git.example.com", "get git.example.com --mode creds", "--mode creds", "get", "-b x get y z", "del a b"} {
		f.Add(args)
	}
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, " ")
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}, "")
		if err := Keyring(t.Context(), w.env, args); err != nil || w.out.Len() == 0 {
			if w.out.Len() > 0 {
				t.Fatalf("%q: %q and %v", args, w.out.String(), err)
			}
			return
		}
		call, ok := parseKeyring(args)
		server, isServer := ParseServer(call.service)
		if !ok || !isServer || call.operation != "get" || !server.Matches(worldHosts) {
			t.Fatalf("%q: %q", args, w.out.String())
		}
	})
}
