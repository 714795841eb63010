package helper

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)

// fakeSource gives its tokens in order, the last one again and again.
type fakeSource struct {
	tokens []*session.Token
	err    error
	errs   []error // one for each call, before tokens are given

	requests []session.Request
	stale    []string // what MarkStale was given
	staleErr error
}

func (f *fakeSource) Token(_ context.Context, req session.Request) (*session.Token, error) {
	f.requests = append(f.requests, req)
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		if err != nil {
			return nil, err
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	tok := f.tokens[0]
	if len(f.tokens) > 1 {
		f.tokens = f.tokens[1:]
	}
	return tok, nil
}

func (f *fakeSource) MarkStale(_ context.Context, c oidcflow.Secret) (bool, error) {
	f.stale = append(f.stale, c.Reveal())
	return len(f.tokens) > 0 && f.tokens[0].Value.Equal(c), f.staleErr
}

func live(value string) *session.Token {
	return &session.Token{Value: oidcflow.NewSecret(value), Profile: "work", Expiry: now.Add(time.Hour)}
}

func expired(value string) *session.Token {
	return &session.Token{
		Value: oidcflow.NewSecret(value), Profile: "work", Expiry: now.Add(-2 * time.Hour),
		Expired: true, Offline: true, Reason: offline.ReasonNetworkUnavailable,
		Warnings: []offline.Warning{{Type: offline.WarnUsingExpiredToken, Message: "the token expired 2 hours ago"}},
	}
}

var errSignIn = &session.Error{Kind: session.SignInRequired, Message: `sign-in required for profile "work"`, Hint: `run "oidc-cred login -p work"`}

// world is one process of a helper.
type world struct {
	out, errs bytes.Buffer
	warned    []offline.Warning
	env       Env
}

// worldHosts are mapped to the world's target.
var worldHosts = []string{"git.example.com", "*.dev.example.com:8443", "127.0.0.1", "localhost:3000", "plain.example.com"}

func newWorld(target *Target, stdin string) *world {
	w := &world{}
	w.env = Env{
		Stdin: strings.NewReader(stdin), Stdout: &w.out, Stderr: &w.errs,
		Now:    func() time.Time { return now },
		Getenv: func(string) string { return "" },
		Resolve: func(s Server) (*Target, error) {
			if s.Matches(worldHosts) {
				return target, nil
			}
			return nil, nil
		},
		Profile: func(string) (*Target, error) { return target, nil },
		Warn:    func(ws []offline.Warning) { w.warned = append(w.warned, ws...) },
	}
	return w
}

func TestSignInOnlyWhereAllowed(t *testing.T) {
	var signedIn int
	signIn := func(context.Context) error { signedIn++; return nil }
	for _, tt := range []struct {
		name    string
		signIn  func(context.Context) error
		allowed bool
		err     error
		want    int
	}{
		{"allowed", signIn, true, errSignIn, 1},
		{"the profile asks nobody", nil, true, errSignIn, 0},
		{"nobody is there", signIn, false, errSignIn, 0},
		{"an outage is no reason", signIn, true, &session.Error{Kind: session.Unreachable, Message: "down"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signedIn = 0
			src := &fakeSource{errs: []error{tt.err}, tokens: []*session.Token{live("T1")}}
			target := &Target{Source: src, SignIn: tt.signIn}
			tok, err := target.token(t.Context(), session.Request{}, tt.allowed)
			if signedIn != tt.want {
				t.Errorf("signed in %d times, want %d", signedIn, tt.want)
			}
			if (err == nil) != (tt.want == 1) || err == nil && tok.Value.Reveal() != "T1" {
				t.Errorf("token %v, error %v", tok, err)
			}
		})
	}
	t.Run("it fails", func(t *testing.T) {
		target := &Target{Source: &fakeSource{err: errSignIn}, SignIn: func(context.Context) error { return errors.New("closed") }}
		if _, err := target.token(t.Context(), session.Request{}, true); err == nil || err.Error() != "sign in: closed" {
			t.Errorf("error %v", err)
		}
	})
}

func TestLineIsOneSafeLine(t *testing.T) {
	err := &session.Error{Message: "no\r\n\x1b[31mred\x1b[0m \u202e" + strings.Repeat("x", 1000), Hint: "do\nthis"}
	got := line(err)
	if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\r\u202e") {
		t.Errorf("line %q", got)
	}
	if len(got) > 400 || !strings.HasSuffix(got, "… (do this)\n") || !strings.HasPrefix(got, "oidc-cred: error: no  red x") {
		t.Errorf("line %q", got)
	}
}

// No tool gets a token that is good only with a key that we keep.
func TestBoundTokenIsRefused(t *testing.T) {
	bound := live("T1")
	bound.Bound = true
	target := &Target{Source: &fakeSource{tokens: []*session.Token{bound}}, Profile: "work"}
	var usage *UsageError
	if _, err := target.token(t.Context(), session.Request{}, false); !errors.As(err, &usage) || !strings.Contains(usage.Advice, "--type id") {
		t.Errorf("error %v", err)
	}
	w := newWorld(target, "protocol=https\nhost=git.example.com\n\n")
	if err := Git(t.Context(), w.env, "get"); err != nil || w.out.String() != "quit=1\n" {
		t.Errorf("git gets %q, %v", w.out.String(), err)
	}
	w = newWorld(target, "")
	if err := Kubectl(t.Context(), w.env, KubectlOptions{Type: session.Access}); !errors.As(err, &usage) || w.out.Len() > 0 {
		t.Errorf("kubectl gets %q, %v", w.out.String(), err)
	}
}
