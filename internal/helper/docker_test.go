package helper

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestDockerGet(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		target   Target
		src      *fakeSource
		want     string // the whole of stdout
		fails    bool
		warned   bool
	}{
		{name: "a host", in: "git.example.com", want: `{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1"}`},
		{name: "with a line end", in: "git.example.com\n", want: `{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1"}`},
		{name: "with a Windows line end", in: "git.example.com\r\n", want: `{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1"}`},
		{name: "a URL", in: "https://git.example.com", want: `{"ServerURL":"https://git.example.com","Username":"oauth2","Secret":"T1"}`},
		{name: "a URL with a path", in: "https://git.example.com/v1/", want: `{"ServerURL":"https://git.example.com/v1/","Username":"oauth2","Secret":"T1"}`},
		{name: "a repository", in: "git.example.com/team/app", want: `{"ServerURL":"git.example.com/team/app","Username":"oauth2","Secret":"T1"}`},
		{name: "a port", in: "x.dev.example.com:8443", want: `{"ServerURL":"x.dev.example.com:8443","Username":"oauth2","Secret":"T1"}`},
		{name: "on this machine", in: "localhost:3000", want: `{"ServerURL":"localhost:3000","Username":"oauth2","Secret":"T1"}`},
		{name: "on this machine, plain", in: "http://localhost:3000", want: `{"ServerURL":"http://localhost:3000","Username":"oauth2","Secret":"T1"}`},
		{name: "the profile's user", in: "git.example.com", target: Target{Username: "bob"}, want: `{"ServerURL":"git.example.com","Username":"bob","Secret":"T1"}`},
		{
			name: "an expired token, by policy", in: "git.example.com", src: &fakeSource{tokens: []*session.Token{expired("T1")}}, warned: true,
			want: `{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1"}`,
		},
		{name: "another port", in: "git.example.com:8443", want: dockerNotFound, fails: true},
		{name: "not mapped", in: "https://index.docker.io/v1/", want: dockerNotFound, fails: true},
		{name: "a mapped name in the path", in: "https://evil.example/git.example.com", want: dockerNotFound, fails: true},
		{name: "a mapped name as the user", in: "https://git.example.com@evil.example/", want: dockerNotFound, fails: true},
		{name: "no server at all", in: "::://", want: dockerNotFound, fails: true},
		{name: "two lines", in: "git.example.com\nevil.example\n", want: dockerNotFound, fails: true},
		{name: "nothing", in: " \n", want: dockerNoServer, fails: true},
		{name: "plain http", in: "http://git.example.com", want: "oidc-cred: error: git.example.com is reached over plain http, where anyone on the way could read the token (use its https:// URL)", fails: true},
		{
			name: "no session", in: "git.example.com", src: &fakeSource{err: errSignIn}, fails: true,
			want: `oidc-cred: error: sign-in required for profile "work" (run "oidc-cred login -p work")`,
		},
		{
			name: "a user that is none", in: "git.example.com", target: Target{Username: "<token>", Profile: "work"}, fails: true,
			want: `oidc-cred: error: profile work has the username "<token>", which docker would not send as one (set another 'username' in the profile; most registries take any)`,
		},
		{name: "too long", in: strings.Repeat("x", maxDockerRequest+1), want: "oidc-cred: error: docker's request is longer than 1048576 bytes", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			target := tt.target
			target.Source = tt.src
			w := newWorld(&target, tt.in)
			err := Docker(t.Context(), w.env, []string{"get"})
			if tt.fails != errors.Is(err, Answered{Code: 1}) || !tt.fails && err != nil {
				t.Errorf("error %v", err)
			}
			if got := w.out.String(); got != tt.want+"\n" {
				t.Errorf("answer %q, want %q", got, tt.want)
			}
			if w.errs.String() != "" {
				t.Errorf("stderr %q", w.errs.String())
			}
			if (len(w.warned) > 0) != tt.warned {
				t.Errorf("warnings %v", w.warned)
			}
		})
	}
}

func TestDockerStore(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		src      *fakeSource
		stdout   string
		stderr   string
	}{
		{name: "our own token", in: `{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1"}`},
		{name: "our own token, to a URL", in: `{"ServerURL":"https://git.example.com/v2/","Username":"anyone","Secret":"T1"}` + "\n"},
		{
			name: "the registry's token", in: `{"ServerURL":"git.example.com","Username":"<token>","Secret":"X"}`,
			stderr: "oidc-cred: the registry's own token is not kept: git.example.com gets the token of profile work each time\n",
		},
		{name: "a password", in: `{"ServerURL":"git.example.com","Username":"bob","Secret":"hunter2"}`, stdout: "git.example.com gets the token of profile work from oidc-cred, which keeps no passwords (no docker login is needed"},
		{name: "not mapped", in: `{"ServerURL":"other.example","Username":"bob","Secret":"hunter2"}`, stdout: "oidc-cred keeps no passwords, and no profile has this server in its hosts (take it out"},
		{name: "no session", in: `{"ServerURL":"git.example.com","Username":"bob","Secret":"hunter2"}`, src: &fakeSource{err: errSignIn}, stdout: "sign-in required"},
		{name: "no server", in: `{"Username":"bob","Secret":"hunter2"}`, stdout: dockerNoServer},
		{name: "no JSON", in: `hunter2`, stdout: "the credential to store can't be read: it is no JSON at byte 1"},
		{name: "another shape", in: `{"ServerURL":"git.example.com","Secret":["hunter2"]}`, stdout: `the credential to store can't be read: "Secret" is a JSON array where a string is expected`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := newWorld(&Target{Source: tt.src, Profile: "work"}, tt.in)
			err := Docker(t.Context(), w.env, []string{"store"})
			out := w.out.String()
			if tt.stdout == "" && (err != nil || out != "") || tt.stdout != "" && (!errors.Is(err, Answered{Code: 1}) || !strings.Contains(out, tt.stdout)) {
				t.Errorf("error %v, stdout %q", err, out)
			}
			if strings.Contains(out, "hunter2") {
				t.Errorf("the password is repeated: %q", out)
			}
			if w.errs.String() != tt.stderr {
				t.Errorf("stderr %q", w.errs.String())
			}
		})
	}
}

// docker logout calls erase for each spelling, and fails if all of them fail.
func TestDockerErase(t *testing.T) {
	for _, tt := range []struct {
		in    string
		src   fakeSource
		asked int
	}{
		{in: "git.example.com", asked: 1},
		{in: "https://git.example.com", asked: 1},
		{in: "http://git.example.com"},
		{in: "other.example"},
		{in: "git.example.com", src: fakeSource{err: errSignIn}, asked: 1},
	} {
		src := tt.src
		src.tokens = []*session.Token{live("T1")}
		w := newWorld(&Target{Source: &src}, tt.in)
		if err := Docker(t.Context(), w.env, []string{"erase"}); err != nil || w.out.Len()+w.errs.Len() > 0 {
			t.Errorf("%s: %v, %q %q", tt.in, err, w.out.String(), w.errs.String())
		}
		if len(src.requests) != tt.asked || tt.asked > 0 && !src.requests[0].Refused {
			t.Errorf("%s: requests %+v", tt.in, src.requests)
		}
	}
	w := newWorld(nil, "")
	if err := Docker(t.Context(), w.env, []string{"erase"}); err == nil || w.out.String() != dockerNoServer+"\n" {
		t.Errorf("no server: %v, %q", err, w.out.String())
	}
}

func TestDockerList(t *testing.T) {
	w := newWorld(nil, "unused")
	w.env.Resolve = nil // no session is touched
	w.env.Mapped = func() ([]Mapping, error) {
		return []Mapping{
			{Profile: "work", Hosts: []string{"b.example.com", "*.example.com", "a.example.com:5000", "no host"}},
			{Profile: "home", Username: "bob", Hosts: []string{"b.example.com", "c.example.com"}},
		}, nil
	}
	if err := Docker(t.Context(), w.env, []string{"list"}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.out.String(), `{"a.example.com:5000":"oauth2","b.example.com":"oauth2","c.example.com":"bob"}`+"\n"; got != want {
		t.Errorf("list %s, want %s", got, want)
	}
	w = newWorld(nil, "")
	w.env.Mapped = func() ([]Mapping, error) { return nil, errors.New("the configuration is broken") }
	if err := Docker(t.Context(), w.env, []string{"list"}); err == nil || w.out.String() != "oidc-cred: error: the configuration is broken\n" {
		t.Errorf("%v, %q", err, w.out.String())
	}
	w = newWorld(nil, "")
	w.env.Mapped = func() ([]Mapping, error) { return nil, nil }
	if err := Docker(t.Context(), w.env, []string{"list"}); err != nil || w.out.String() != "{}\n" {
		t.Errorf("%v, %q", err, w.out.String())
	}
}

func TestDockerCalls(t *testing.T) {
	for _, args := range [][]string{nil, {"get", "x"}} {
		w := newWorld(nil, "")
		var usage *UsageError
		if err := Docker(t.Context(), w.env, args); !errors.As(err, &usage) || w.out.Len() > 0 {
			t.Errorf("%v: %v, %q", args, err, w.out.String())
		}
	}
	w := newWorld(nil, "")
	if err := Docker(t.Context(), w.env, []string{"put"}); err == nil || w.out.String() != "oidc-cred: error: unknown credential action \"put\"\n" {
		t.Errorf("%v, %q", err, w.out.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w = newWorld(&Target{Source: &fakeSource{err: context.Canceled}}, "git.example.com")
	if err := Docker(ctx, w.env, []string{"get"}); !errors.Is(err, context.Canceled) || w.out.Len() > 0 {
		t.Errorf("interrupted: %v, %q", err, w.out.String())
	}
}

// Whatever is asked, a token goes to mapped servers alone, and the answer is
// one line: JSON that repeats the server, or an error.
func FuzzDocker(f *testing.F) {
	for _, s := range []string{
		"", "git.example.com", "https://git.example.com/v1/\n", "localhost:3000", "http://git.example.com", "a@git.example.com", "[::1]:80", "git.example.com\x00",
		`{"ServerURL":"git.example.com","Username":"oauth2","Secret":"T1-secret"}`, `{"ServerURL":"git.example.com","Username":"<token>"}`, `[]`, `{"Secret":1}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, verb := range []string{"get", "store", "erase"} {
			w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1-secret")}}, Profile: "work"}, in)
			resolved := false
			resolve := w.env.Resolve
			w.env.Resolve = func(s Server) (*Target, error) {
				t, err := resolve(s)
				resolved = t != nil
				return t, err
			}
			w.env.Warn = func([]offline.Warning) {}
			err := Docker(t.Context(), w.env, []string{verb})
			out := w.out.String()
			if out != "" && strings.Index(out, "\n") != len(out)-1 {
				t.Fatalf("%s: answer %q", verb, out)
			}
			if err != nil {
				if !errors.Is(err, Answered{Code: 1}) || out == "" || strings.Contains(out, "T1-secret") {
					t.Fatalf("%s: %v, answer %q", verb, err, out)
				}
				continue
			}
			if verb != "get" {
				if out != "" {
					t.Fatalf("%s: answer %q", verb, out)
				}
				continue
			}
			var got dockerCredential
			if err := json.Unmarshal([]byte(out), &got); err != nil || !resolved {
				t.Fatalf("answer %q to %q: %v", out, in, err)
			}
			if got.Secret != "T1-secret" || got.Username != DefaultUsername {
				t.Fatalf("answer %+v", got)
			}
		}
	})
}
