package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const (
	oldGit = "protocol=https\nhost=git.example.com\n"
	anyGit = "capability[]=authtype\ncapability[]=state\n" + oldGit
	newGit = anyGit + "wwwauth[]=Basic realm=\"x\"\nwwwauth[]=Bearer realm=\"x\"\n"
)

func TestGitGet(t *testing.T) {
	exp := fmt.Sprintf("password_expiry_utc=%d\n", now.Add(time.Hour).Unix())
	noExpiry := live("T1")
	noExpiry.Expiry = time.Time{}
	lastSecond := live("T1")
	lastSecond.Expiry = now.Add(200 * time.Millisecond)
	unsound := live("T1\nquit=1")
	long := live(strings.Repeat("x", maxGitLine))
	for _, tt := range []struct {
		name, in string
		target   Target
		src      *fakeSource
		out      string
		stderr   string
		refused  bool
	}{
		{name: "old git", in: oldGit, out: "username=oauth2\npassword=T1\n" + exp},
		{name: "old git, its own user", in: oldGit + "username=alice\n", target: Target{Username: "bob"}, out: "username=alice\npassword=T1\n" + exp},
		{name: "old git, the profile's user", in: oldGit, target: Target{Username: "bob"}, out: "username=bob\npassword=T1\n" + exp},
		{
			name: "new git", in: newGit + "\nhost=ignored.example.com\n",
			out: "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp + "state[]=oidc-cred:retry=1\ncontinue=1\n",
		},
		{
			name: "authtype alone", in: "capability[]=authtype\n" + oldGit,
			out: "capability[]=authtype\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp,
		},
		{name: "state alone", in: "capability[]=state\n" + oldGit, out: "username=oauth2\npassword=T1\n" + exp},
		{name: "capabilities reset", in: "capability[]=authtype\ncapability[]=\n" + oldGit, out: "username=oauth2\npassword=T1\n" + exp},
		{
			name: "after a 401", in: newGit + "state[]=other:x\nstate[]=oidc-cred:retry=1\n", refused: true,
			out: "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp,
		},
		{
			name: "a server that names Basic alone", in: anyGit + "wwwauth[]=Basic realm=\"x\"\n",
			out: "capability[]=state\nusername=oauth2\npassword=T1\n" + exp + "state[]=oidc-cred:retry=1\nstate[]=oidc-cred:basic=1\ncontinue=1\n",
		},
		{
			name: "sent as Bearer to a server that takes Basic alone", in: anyGit + "wwwauth[]=Basic\nstate[]=oidc-cred:retry=1\n",
			out: "capability[]=state\nusername=oauth2\npassword=T1\n" + exp + "state[]=oidc-cred:retry=1\nstate[]=oidc-cred:basic=1\ncontinue=1\n",
		},
		{
			name: "Basic alone, after a 401", in: anyGit + "wwwauth[]=basic\nusername=alice\nstate[]=oidc-cred:retry=1\nstate[]=oidc-cred:basic=1\n", refused: true,
			out: "capability[]=state\nusername=alice\npassword=T1\n" + exp,
		},
		{
			name: "Basic alone, without state", in: "capability[]=authtype\n" + oldGit + "wwwauth[]=Basic\n",
			out: "username=oauth2\npassword=T1\n" + exp,
		},
		{
			name: "a server that names neither", in: "capability[]=authtype\n" + oldGit + "wwwauth[]=Negotiate\n",
			out: "capability[]=authtype\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp,
		},
		{
			name: "the list of challenges reset", in: "capability[]=authtype\n" + oldGit + "wwwauth[]=Basic\nwwwauth[]=\n",
			out: "capability[]=authtype\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp,
		},
		{name: "Bearer alone, old git", in: oldGit + "wwwauth[]=Bearer\n", out: "username=oauth2\npassword=T1\n" + exp},
		{
			name: "another helper's state", in: newGit + "state[]=other:retry=1\n",
			out: "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=T1\nephemeral=1\n" + exp + "state[]=oidc-cred:retry=1\ncontinue=1\n",
		},
		{
			name: "after a 401, offline with an expired token", in: newGit + "state[]=oidc-cred:retry=1\n", refused: true,
			src: &fakeSource{tokens: []*session.Token{expired("T1")}}, out: "quit=1\n",
			stderr: "oidc-cred: error: git.example.com takes no expired token, and the one of profile work can't be renewed: the network or the identity provider can't be reached (try again when the provider is back)\n",
		},
		{name: "expired", in: oldGit, src: &fakeSource{tokens: []*session.Token{expired("T1")}}, out: "username=oauth2\npassword=T1\n"},
		{name: "expiry unknown", in: oldGit, src: &fakeSource{tokens: []*session.Token{noExpiry}}, out: "username=oauth2\npassword=T1\n"},
		{name: "expires within this second", in: oldGit, src: &fakeSource{tokens: []*session.Token{lastSecond}}, out: "username=oauth2\npassword=T1\n"},
		{name: "CR LF", in: strings.ReplaceAll(oldGit, "\n", "\r\n") + "\r\nrubbish", out: "username=oauth2\npassword=T1\n" + exp},
		{name: "no line end", in: strings.TrimSuffix(oldGit, "\n"), out: "username=oauth2\npassword=T1\n" + exp},
		// Hosts.
		{name: "unmapped", in: "protocol=https\nhost=github.com\n"},
		{name: "unmapped, http", in: "protocol=http\nhost=github.com\n"},
		{name: "another port", in: "protocol=https\nhost=git.example.com:8443\n"},
		{name: "another protocol", in: "protocol=smtp\nhost=git.example.com\n"},
		{name: "no host", in: "protocol=https\n"},
		{name: "nothing", in: ""},
		{name: "port", in: "protocol=https\nhost=a.dev.example.com:8443\n", out: "username=oauth2\npassword=T1\n" + exp},
		{name: "http loopback", in: "protocol=http\nhost=127.0.0.1\n", out: "username=oauth2\npassword=T1\n" + exp},
		{name: "http localhost", in: "protocol=http\nhost=localhost:3000\n", out: "username=oauth2\npassword=T1\n" + exp},
		{
			name: "plain http", in: "protocol=http\nhost=plain.example.com\n", out: "quit=1\n",
			stderr: "oidc-cred: error: plain.example.com is reached over plain http, where anyone on the way could read the token (use its https:// URL)\n",
		},
		// No credential.
		{
			name: "signed out", in: newGit, src: &fakeSource{err: errSignIn}, out: "quit=1\n",
			stderr: "oidc-cred: error: sign-in required for profile \"work\" (run \"oidc-cred login -p work\")\n",
		},
		{name: "a token with a line end", in: oldGit, src: &fakeSource{tokens: []*session.Token{unsound}}, out: "quit=1\n", stderr: "oidc-cred: error: the password holds a line end, which git's protocol can't carry\n"},
		{name: "a token that is too long", in: oldGit, src: &fakeSource{tokens: []*session.Token{long}}, out: "quit=1\n", stderr: "oidc-cred: error: the password is longer than the 65535 bytes that git's protocol can carry\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			tt.target.Source = tt.src
			w := newWorld(&tt.target, tt.in)
			if err := Git(t.Context(), w.env, "get"); err != nil {
				t.Fatal(err)
			}
			if got := w.out.String(); got != tt.out {
				t.Errorf("answer\n%s\nwant\n%s", got, tt.out)
			}
			if got := w.errs.String(); got != tt.stderr {
				t.Errorf("stderr %q, want %q", got, tt.stderr)
			}
			if n := len(tt.src.requests); n > 1 {
				t.Errorf("asked for a token %d times", n)
			}
			for _, r := range tt.src.requests {
				if r.Refused != tt.refused || r.ForceRefresh {
					t.Errorf("request %+v", r)
				}
			}
		})
	}
}

func TestGitWarnsAndPassesOffline(t *testing.T) {
	yes := true
	src := &fakeSource{tokens: []*session.Token{expired("T1")}}
	w := newWorld(&Target{Source: src, Offline: &yes}, oldGit)
	if err := Git(t.Context(), w.env, "get"); err != nil {
		t.Fatal(err)
	}
	if len(w.warned) != 1 {
		t.Errorf("warned of %v", w.warned)
	}
	if r := src.requests[0]; r.Offline == nil || !*r.Offline || r.Type != "" {
		t.Errorf("request %+v", r)
	}
}

func TestGitBadRequests(t *testing.T) {
	for name, in := range map[string]string{
		"no equals sign":   oldGit + "secret-without-key\n",
		"NUL":              oldGit + "username=a\x00b\n",
		"CR in a value":    "protocol=https\nhost=git.example.com\r.evil.org\n",
		"line too long":    oldGit + "path=" + strings.Repeat("x", maxGitLine-4) + "\n",
		"far too long":     oldGit + "path=" + strings.Repeat("x", 3*maxGitLine),
		"too many lines":   strings.Repeat("path="+strings.Repeat("x", 1000)+"\n", 5000),
		"too long at last": oldGit + "path=" + strings.Repeat("x", maxGitLine-4),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}, in)
			err := Git(t.Context(), w.env, "get")
			var usage *UsageError
			if !errors.As(err, &usage) || w.out.Len() > 0 {
				t.Errorf("error %v, answer %q", err, w.out.String())
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the input: %v", err)
			}
		})
	}
	t.Run("the longest line", func(t *testing.T) {
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}, oldGit+"path="+strings.Repeat("x", maxGitLine-5)+"\r\n\n")
		if err := Git(t.Context(), w.env, "get"); err != nil || w.out.Len() == 0 {
			t.Errorf("error %v, answer %q", err, w.out.String())
		}
	})
}

func TestGitInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := newWorld(&Target{Source: &fakeSource{err: context.Canceled}}, oldGit)
	if err := Git(ctx, w.env, "get"); !errors.Is(err, context.Canceled) || w.out.Len() > 0 {
		t.Errorf("error %v, answer %q", err, w.out.String())
	}
}

func TestGitErase(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"password", oldGit + "username=oauth2\npassword=T1\n", "T1"},
		{"credential", newGit + "authtype=Bearer\ncredential=T1\n", "T1"},
		{"nothing given", oldGit, ""},
		{"unmapped", "protocol=https\nhost=github.com\npassword=T1\n", ""},
		{"plain http", "protocol=http\nhost=plain.example.com\npassword=T1\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := &fakeSource{tokens: []*session.Token{live("T1")}}
			w := newWorld(&Target{Source: src}, tt.in)
			if err := Git(t.Context(), w.env, "erase"); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(src.stale, " "); got != tt.want {
				t.Errorf("marked %q, want %q", got, tt.want)
			}
			if w.out.Len()+w.errs.Len() > 0 || len(src.requests) > 0 {
				t.Errorf("stdout %q, stderr %q, requests %v", w.out.String(), w.errs.String(), src.requests)
			}
		})
	}
}

// TestGitRefusedAgain: git-lfs asks for as long as it is answered. A token that
// a server refused is not given to it again at once, where there is no other.
func TestGitRefusedAgain(t *testing.T) {
	target := &Target{Profile: "work", Notes: filepath.Join(t.TempDir(), "cache")}
	ask := func(verb, in, token string, later time.Duration) string {
		t.Helper()
		target.Source = &fakeSource{tokens: []*session.Token{live(token)}}
		w := newWorld(target, in)
		w.env.Now = func() time.Time { return now.Add(later) }
		if err := Git(t.Context(), w.env, verb); err != nil {
			t.Fatal(err)
		}
		if out := w.out.String(); out == "quit=1\n" != strings.HasPrefix(w.errs.String(), "oidc-cred: error: git.example.com has just refused the token of profile work") {
			t.Errorf("answer %q, stderr %q", out, w.errs.String())
		}
		return w.out.String()
	}
	answers := func(in, token string, later time.Duration) bool {
		return strings.Contains(ask("get", in, token, later), "password="+token+"\n")
	}
	if !answers(oldGit, "T1", 0) {
		t.Error("no answer at first")
	}
	ask("erase", oldGit+"password=T1\n", "T1", 0)
	if answers(oldGit, "T1", 0) {
		t.Error("the refused token is given again")
	}
	if !answers(oldGit, "T2", 0) {
		t.Error("another token is not given")
	}
	if !answers("protocol=http\nhost=127.0.0.1\n", "T1", 0) {
		t.Error("another server is not given the token")
	}
	if !answers(oldGit, "T1", time.Minute) {
		t.Error("the refusal counts after a minute")
	}
	ask("erase", oldGit+"password=T2\n", "T2", time.Hour)
	if left, err := os.ReadDir(target.Notes); err != nil || len(left) != 1 {
		t.Errorf("notes %v, %v", left, err)
	}
}

func TestGitOtherVerbs(t *testing.T) {
	for verb, want := range map[string]string{
		"capability": "version 0\ncapability authtype\ncapability state\n",
		"store":      "", "future-verb": "", "": "",
	} {
		src := &fakeSource{tokens: []*session.Token{live("T1")}}
		w := newWorld(&Target{Source: src}, newGit+"credential=T1\ncontinue=1\n")
		if err := Git(t.Context(), w.env, verb); err != nil {
			t.Error(err)
		}
		if w.out.String() != want || w.errs.Len() > 0 || len(src.requests)+len(src.stale) > 0 {
			t.Errorf("%s: stdout %q, stderr %q", verb, w.out.String(), w.errs.String())
		}
	}
}

func TestGitResolveFails(t *testing.T) {
	w := newWorld(nil, oldGit)
	w.env.Resolve = func(Server) (*Target, error) { return nil, errors.New("config.yaml: unknown key hostz") }
	if err := Git(t.Context(), w.env, "get"); err != nil {
		t.Fatal(err)
	}
	if w.out.String() != "quit=1\n" || w.errs.String() != "oidc-cred: error: config.yaml: unknown key hostz\n" {
		t.Errorf("stdout %q, stderr %q", w.out.String(), w.errs.String())
	}
}

// FuzzGitRequest: whatever comes in, an answer is made of well-formed lines
// and only for a mapped host.
func FuzzGitRequest(f *testing.F) {
	for _, s := range []string{"", oldGit, newGit, newGit + "state[]=oidc-cred:retry=1\ncontinue=1\n\n", anyGit + "wwwauth[]=Basic realm=\"a, Bearer\"\n", "host\n", "a=\x00\n", "capability[]=\n", "\r\n", "=\n", "host=git.example.com:443\nprotocol=https"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		q, err := readGitRequest(strings.NewReader(string(in)))
		if err != nil {
			return
		}
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}, string(in))
		if err := Git(t.Context(), w.env, "get"); err != nil {
			t.Fatal(err)
		}
		out := w.out.String()
		if out == "" || out == "quit=1\n" {
			return
		}
		if !(Server{Scheme: q.protocol, Host: q.host}).Matches([]string{"git.example.com", "*.dev.example.com:8443", "127.0.0.1", "localhost:3000"}) {
			t.Fatalf("an answer for %q", q.host)
		}
		if bearer := strings.Contains(out, "authtype=Bearer\ncredential=T1\n"); bearer == strings.Contains(out, "\npassword=T1\n") || bearer && !q.can("authtype") {
			t.Fatalf("answer\n%s", out)
		}
		for l := range strings.Lines(out) {
			if key, value, found := strings.Cut(strings.TrimSuffix(l, "\n"), "="); !found || key == "" || strings.ContainsAny(value, "\r\x00") || !strings.HasSuffix(l, "\n") {
				t.Fatalf("line %q", l)
			}
		}
	})
}
