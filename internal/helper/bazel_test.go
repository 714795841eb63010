package helper

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestBazel(t *testing.T) {
	noExpiry := live("T1")
	noExpiry.Expiry = time.Time{}
	const good = `{"headers":{"Authorization":["Bearer T1"]},"expires":"2026-03-01T13:00:00Z"}`
	const none = `{"headers":{}}`
	for _, tt := range []struct {
		name, in string
		token    *session.Token
		want     string
	}{
		{"https", `{"uri":"https://git.example.com/cache/ac/1"}`, nil, good},
		{"grpcs", `{"uri":"grpcs://git.example.com/google.bytestream.ByteStream/Read"}`, nil, good},
		{"more in it", `{"uri":"https://git.example.com","more":{"a":1}}`, nil, good},
		{"a port", `{"uri":"grpcs://x.dev.example.com:8443"}`, nil, good},
		{"another port", `{"uri":"grpcs://git.example.com:8443"}`, nil, none},
		{"another host", `{"uri":"https://example.com/"}`, nil, none},
		{"a user that looks like the host", `{"uri":"https://git.example.com@evil.example.com/"}`, nil, none},
		{"a file", `{"uri":"file:///etc/passwd"}`, nil, none},
		{"no scheme", `{"uri":"git.example.com"}`, nil, none},
		{"no expiry", `{"uri":"https://git.example.com/"}`, noExpiry, `{"headers":{"Authorization":["Bearer T1"]}}`},
		{"stale", `{"uri":"https://git.example.com/"}`, expired("T1"), `{"headers":{"Authorization":["Bearer T1"]},"expires":"2026-03-01T12:01:00Z"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tok := tt.token
			if tok == nil {
				tok = live("T1")
			}
			w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{tok}}}, tt.in)
			if err := Bazel(t.Context(), w.env, []string{"get"}); err != nil || w.out.String() != tt.want+"\n" || w.errs.Len() > 0 {
				t.Errorf("answer %q, %v", w.out.String(), err)
			}
		})
	}
}

func TestBazelErrors(t *testing.T) {
	for _, tt := range []struct {
		in   string
		args []string
		err  error
		want string
	}{
		{`{}`, []string{"get"}, nil, "has no uri"},
		{`{"uri":1}`, []string{"get"}, nil, "can't be read"},
		{``, []string{"get"}, nil, "can't be read"},
		{`{"uri":"https://git.example.com"}`, nil, nil, "one word"},
		{`{"uri":"https://git.example.com"}`, []string{"store"}, nil, "one word"},
		{`{"uri":"grpc://plain.example.com"}`, []string{"get"}, nil, "plain http"},
		{`{"uri":"https://git.example.com"}`, []string{"get"}, errSignIn, "sign-in required"},
		{strings.Repeat(" ", maxBazelRequest+1), []string{"get"}, nil, "longer than"},
	} {
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}, err: tt.err}}, tt.in)
		if err := Bazel(t.Context(), w.env, tt.args); err == nil || !strings.Contains(err.Error(), tt.want) || w.out.Len() > 0 {
			t.Errorf("%.40q: %v, stdout %q", tt.in, err, w.out.String())
		}
	}
	if 2*BazelExchange > 10*time.Second-500*time.Millisecond {
		t.Error("a wait and an exchange take longer than Bazel waits")
	}
}

// hangingSource answers when the call is given up.
type hangingSource struct{ fakeSource }

func (h *hangingSource) Token(ctx context.Context, _ session.Request) (*session.Token, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestBazelInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := newWorld(&Target{Source: &hangingSource{}}, `{"uri":"https://git.example.com"}`)
	if err := Bazel(ctx, w.env, []string{"get"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func FuzzBazelRequest(f *testing.F) {
	f.Add(`{"uri":"https://git.example.com/x"}`)
	f.Add(`{"uri":"grpcs://git.example.com:443/x"}`)
	f.Add(`{"uri":"https://evil@git.example.com"}`)
	f.Fuzz(func(t *testing.T, in string) {
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}, in)
		if err := Bazel(t.Context(), w.env, []string{"get"}); err != nil {
			if w.out.Len() > 0 {
				t.Errorf("%v after %q", err, w.out.String())
			}
			return
		}
		var answer struct {
			Headers map[string][]string `json:"headers"`
		}
		if err := json.Unmarshal(w.out.Bytes(), &answer); err != nil || answer.Headers == nil {
			t.Fatalf("answer %q, %v", w.out.String(), err)
		}
		if len(answer.Headers) > 0 {
			server, err := readBazel(strings.NewReader(in))
			if err != nil || !server.Matches([]string{"git.example.com", "*.dev.example.com:8443", "127.0.0.1", "localhost:3000"}) {
				t.Errorf("a token for %q", in)
			}
		}
	})
}
