package helper

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const (
	go401 = "HTTP/1.1 401 Unauthorized\nWww-Authenticate: Bearer realm=\"x\"\nContent-Length: 19\n\n"
	go404 = "HTTP/2.0 404 Not Found\n\n"
	goBad = "HTTP/1.1 401 Unauthorized\nWww-Authenticate: Basic realm=\"x\", Bearer error=\"invalid_token\"\n\n"
)

// goWorld has a profile with names, a wildcard and an address.
func goWorld(target *Target, stdin string) *world {
	w := newWorld(target, stdin)
	w.env.Mapped = func() ([]Mapping, error) {
		return []Mapping{{Profile: "work", Hosts: []string{"git.example.com", "*.dev.example.com:8443", "GIT.example.com:443", "127.0.0.1"}}}, nil
	}
	return w
}

func TestGo(t *testing.T) {
	const all = "https://git.example.com\nhttps://127.0.0.1\n\nAuthorization: Bearer T1\n\n"
	one := func(host, token string) string {
		return "https://" + host + "\n\nAuthorization: Bearer " + token + "\n\n"
	}
	for _, tt := range []struct {
		name, arg, in, want string
		src                 *fakeSource
		refused             bool
		fails               bool
	}{
		{name: "before the first request", want: all},
		{name: "before the first request, stale", want: all, src: &fakeSource{tokens: []*session.Token{expired("T1")}}},
		{name: "before the first request, signed out", src: &fakeSource{err: errSignIn}, fails: true},
		{name: "refused", arg: "https://git.example.com/mod/@v/list", in: go401, want: one("git.example.com", "T1"), refused: true},
		{name: "not found", arg: "https://git.example.com/mod/@v/list", in: go404, want: one("git.example.com", "T1")},
		{name: "no response", arg: "https://git.example.com/mod/@v/list", want: one("git.example.com", "T1")},
		{name: "rubbish", arg: "https://git.example.com/mod/@v/list", in: "401\n\n", want: one("git.example.com", "T1")},
		{name: "the host as it is written", arg: "https://GIT.example.com:443/mod", in: go404, want: one("GIT.example.com:443", "T1")},
		{name: "a wildcard's first", arg: "https://a.dev.example.com:8443/mod?go-get=1", in: go401, want: one("a.dev.example.com:8443", "T1")},
		{name: "a wildcard's, refused", arg: "https://a.dev.example.com:8443/mod", in: goBad, want: one("a.dev.example.com:8443", "T1"), refused: true},
		{name: "a user in the URL", arg: "https://u:p@git.example.com/", in: go404, want: one("git.example.com", "T1")},
		{name: "signed out", arg: "https://git.example.com/mod", in: go401, src: &fakeSource{err: errSignIn}, refused: true, fails: true},
		{name: "no header value", arg: "https://git.example.com/", src: &fakeSource{tokens: []*session.Token{live("T1\n\nhttps://evil")}}, fails: true},
		{name: "unmapped", arg: "https://proxy.golang.org/mod/@v/list", in: go404},
		{name: "another port", arg: "https://git.example.com:8443/mod", in: go401},
		{name: "plain http", arg: "http://127.0.0.1/mod", in: go401},
		{name: "no URL", arg: "git.example.com", in: go401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := goWorld(&Target{Source: tt.src, Profile: "work", SignIn: func(context.Context) error {
				t.Error("a sign-in that nobody sees")
				return nil
			}}, tt.in)
			var args []string
			if tt.arg != "" {
				args = []string{tt.arg}
			}
			if err := Go(t.Context(), w.env, args); (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if got := w.out.String(); got != tt.want {
				t.Errorf("answer\n%s\nwant\n%s", got, tt.want)
			}
			var refused bool
			for _, r := range tt.src.requests {
				refused = refused || r.Refused
				if r.ForceRefresh {
					t.Error("forced a refresh")
				}
			}
			if refused != tt.refused || w.errs.Len() > 0 || len(w.warned) > 0 {
				t.Errorf("refused: %v, stderr %q", refused, w.errs.String())
			}
		})
	}
}

func TestGoProfiles(t *testing.T) {
	a := &Target{Profile: "a", Source: &fakeSource{tokens: []*session.Token{live("TA")}}}
	b := &Target{Profile: "b", Source: &fakeSource{tokens: []*session.Token{live("TB")}}}
	out := &Target{Profile: "out", Source: &fakeSource{err: errSignIn}}
	w := newWorld(nil, "")
	w.env.Mapped = func() ([]Mapping, error) {
		return []Mapping{
			{Profile: "a", Hosts: []string{"a.example.com", "both.example.com"}},
			{Profile: "b", Hosts: []string{"both.example.com", "b.example.com:8443", "[::1]", "bücher.example"}},
			{Profile: "out", Hosts: []string{"out.example.com"}},
			{Profile: "wild", Hosts: []string{"*.example.com"}},
		}, nil
	}
	w.env.Resolve = func(s Server) (*Target, error) {
		switch {
		case strings.HasPrefix(s.Host, "a."):
			return a, nil
		case strings.HasPrefix(s.Host, "out."):
			return out, nil
		}
		return b, nil
	}
	if err := Go(t.Context(), w.env, nil); err != nil {
		t.Fatal(err)
	}
	want := "https://a.example.com\n\nAuthorization: Bearer TA\n\n" +
		"https://both.example.com\nhttps://b.example.com:8443\nhttps://[::1]\n\nAuthorization: Bearer TB\n\n"
	if w.out.String() != want {
		t.Errorf("answer\n%s\nwant\n%s", w.out.String(), want)
	}
}

func TestGoBadCalls(t *testing.T) {
	w := goWorld(nil, "")
	var usage *UsageError
	if err := Go(t.Context(), w.env, []string{"https://a", "https://b"}); !errors.As(err, &usage) {
		t.Errorf("error %v", err)
	}
	w.env.Mapped = func() ([]Mapping, error) { return nil, errors.New("config.yaml: unknown key hostz") }
	if err := Go(t.Context(), w.env, nil); err == nil || w.out.Len() > 0 {
		t.Errorf("error %v, answer %q", err, w.out.String())
	}
}

// FuzzGo: whatever URL and response come in, an answer can be read as the go
// command reads it, and is for the URL's own host, which is mapped.
func FuzzGo(f *testing.F) {
	for _, u := range []string{"", "https://git.example.com/mod", "https://evil.example.org\\@git.example.com/", "https://x.dev.example.com:8443", "https://git.example.com:0443/a?b#c", "https://[::1]/"} {
		for _, in := range []string{"", go401, go404, goBad, "HTTP/1.1 401\n"} {
			f.Add(u, []byte(in))
		}
	}
	f.Fuzz(func(t *testing.T, arg string, in []byte) {
		w := goWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}, string(in))
		if err := Go(t.Context(), w.env, []string{arg}); err != nil {
			t.Fatal(err)
		}
		if w.out.Len() == 0 {
			return
		}
		line, rest, _ := strings.Cut(w.out.String(), "\n")
		u, err := url.ParseRequestURI(line)
		if err != nil || u.Scheme != "https" || u.Path != "" || u.User != nil || !strings.Contains(arg, u.Host) {
			t.Fatalf("URL %q for %q: %v", line, arg, err)
		}
		if !Match([]string{"git.example.com", "*.dev.example.com:8443", "127.0.0.1"}, u.Host) {
			t.Fatalf("a token for %q", line)
		}
		if asked, err := url.Parse(arg); err == nil && asked.Host != u.Host {
			t.Fatalf("a token for %q, asked for %q", line, arg)
		}
		r := textproto.NewReader(bufio.NewReader(strings.NewReader(strings.TrimPrefix(rest, "\n"))))
		header, err := r.ReadMIMEHeader()
		if err != nil || len(header) != 1 || header.Get("Authorization") != "Bearer T1" {
			t.Fatalf("headers %v: %v", header, err)
		}
		if left, _ := io.ReadAll(r.R); len(left) > 0 {
			t.Fatalf("more: %q", left)
		}
	})
}
