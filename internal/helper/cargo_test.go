package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const cargoHello = `{"v":[1]}` + "\n"

func cargoAsk(kind, index string) string {
	return fmt.Sprintf(`{"v":1,"registry":{"index-url":%q,"name":"corp"},"kind":%q,"operation":"read","args":[]}`+"\n", index, kind)
}

func TestCargo(t *testing.T) {
	const index = "sparse+https://git.example.com/index/"
	get := cargoAsk("get", index)
	good := fmt.Sprintf(`{"Ok":{"kind":"get","token":"Bearer T1","cache":"expires","expiration":%d,"operation_independent":true}}`, now.Add(time.Hour).Unix())
	const url, operation = `{"Err":{"kind":"url-not-supported"}}`, `{"Err":{"kind":"operation-not-supported"}}`
	noExpiry := live("T1")
	noExpiry.Expiry = time.Time{}
	lastSecond := live("T1")
	lastSecond.Expiry = now.Add(200 * time.Millisecond)
	for _, tt := range []struct {
		name, in, want string
		src            *fakeSource
		forced         bool
	}{
		{name: "read", in: get, want: good},
		{name: "publish", in: strings.Replace(get, `"read"`, `"publish","name":"x","vers":"1.0.0","cksum":"00"`, 1), want: good},
		{name: "an operation of the future", in: strings.Replace(get, `"read"`, `"mend"`, 1), want: good},
		{name: "two requests", in: get + "\n" + get, want: good + "\n" + good},
		{name: "no line end", in: strings.TrimSpace(get), want: good},
		{name: "a git index", in: cargoAsk("get", "https://git.example.com/group/index"), want: good},
		{name: "loopback", in: cargoAsk("get", "sparse+http://127.0.0.1/index/"), want: good},
		{
			// It is what the registry said to a request without a token.
			name: "headers", want: good,
			in: strings.Replace(get, `"name"`, `"headers":["WWW-Authenticate: Bearer error=\"invalid_token\""],"name"`, 1),
		},
		{name: "expiry unknown", in: get, src: &fakeSource{tokens: []*session.Token{noExpiry}}, want: `{"Ok":{"kind":"get","token":"Bearer T1","cache":"session","operation_independent":true}}`},
		{name: "the last second", in: get, src: &fakeSource{tokens: []*session.Token{lastSecond}}, want: strings.Replace(good, fmt.Sprint(now.Add(time.Hour).Unix()), fmt.Sprint(now.Unix()+1), 1)},
		{name: "stale", in: get, src: &fakeSource{tokens: []*session.Token{expired("T1")}}, want: strings.Replace(good, fmt.Sprint(now.Add(time.Hour).Unix()), fmt.Sprint(now.Unix()+120), 1)},
		{name: "signed out", in: get, src: &fakeSource{err: errSignIn}, want: `{"Err":{"kind":"other","message":"sign-in required for profile \"work\" (run \"oidc-cred login -p work\")"}}`},
		{name: "no header value", in: get, src: &fakeSource{tokens: []*session.Token{live("T1\r\nX-Evil: 1")}}, want: `{"Err":{"kind":"other","message":"the token has characters that an HTTP header can't carry"}}`},
		// Hosts.
		{name: "unmapped", in: cargoAsk("get", "sparse+https://crates.example.org/"), want: url},
		{name: "crates.io", in: cargoAsk("get", "https://github.com/rust-lang/crates.io-index"), want: url},
		{name: "another port", in: cargoAsk("get", "sparse+https://git.example.com:444/"), want: url},
		{name: "ssh", in: cargoAsk("get", "ssh://git@git.example.com/index"), want: url},
		{name: "a folder", in: cargoAsk("get", "file:///git.example.com/index"), want: url},
		{name: "no URL", in: cargoAsk("get", "git.example.com"), want: url},
		{name: "no index", in: `{"v":1,"kind":"get"}`, want: url},
		{name: "unmapped login", in: cargoAsk("login", "https://crates.example.org/"), want: url},
		{name: "unmapped logout", in: cargoAsk("logout", "https://crates.example.org/"), want: url},
		{name: "plain http", in: cargoAsk("get", "sparse+http://plain.example.com/"), want: `{"Err":{"kind":"other","message":"plain.example.com is reached over plain http, where anyone on the way could read the token (use its https:// URL)"}}`},
		// Other kinds.
		{name: "login", in: cargoAsk("login", index), want: `{"Ok":{"kind":"login"}}`, forced: true},
		{name: "login, signed out", in: cargoAsk("login", index), src: &fakeSource{err: errSignIn}, want: `{"Err":{"kind":"other","message":"sign-in required for profile \"work\" (run \"oidc-cred login -p work\")"}}`, forced: true},
		{name: "login with a token", in: strings.Replace(cargoAsk("login", index), `"args"`, `"token":"secret","args"`, 1), want: `{"Err":{"kind":"other","message":"the registry gets the token of profile work, so there is none to store (run 'cargo login' without a token)"}}`},
		{name: "logout", in: cargoAsk("logout", index), want: `{"Err":{"kind":"other","message":"cargo does not sign out of profile work, which may serve other tools too (run 'oidc-cred logout --profile work')"}}`},
		{name: "a kind of the future", in: cargoAsk("mend", index), want: operation},
		{name: "another version", in: strings.Replace(get, `"v":1`, `"v":2`, 1), want: `{"Err":{"kind":"other","message":"cargo's request is of version 2, and this helper knows version 1"}}`},
		{name: "no JSON", in: "get secret\n", want: `{"Err":{"kind":"other","message":"cargo's request can't be read: it is no JSON at byte 1"}}`},
		{name: "nothing", in: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := newWorld(&Target{Source: tt.src, Profile: "work"}, tt.in)
			if err := Cargo(t.Context(), w.env, CargoOptions{}); err != nil {
				t.Fatal(err)
			}
			want := cargoHello + tt.want
			if tt.want != "" {
				want += "\n"
			}
			if got := w.out.String(); got != want {
				t.Errorf("answer\n%s\nwant\n%s", got, want)
			}
			var forced bool
			for _, r := range tt.src.requests {
				forced = forced || r.ForceRefresh
			}
			if forced != tt.forced || w.errs.Len() > 0 || len(tt.src.stale) > 0 {
				t.Errorf("forced a refresh: %v; stderr %q; stale %q", forced, w.errs.String(), tt.src.stale)
			}
		})
	}
}

func TestCargoArgs(t *testing.T) {
	w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}, strings.Replace(cargoAsk("get", "https://git.example.com/"), `[]`, `["helper","cargo"]`, 1))
	var got []string
	if err := Cargo(t.Context(), w.env, CargoOptions{Args: func(args []string) error { got = args; return errors.New("no\nsuch flag") }}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, " ") != "helper cargo" || w.out.String() != cargoHello+`{"Err":{"kind":"other","message":"no such flag"}}`+"\n" {
		t.Errorf("arguments %q, answer %q", got, w.out.String())
	}
}

func TestCargoWarnsAndSignsIn(t *testing.T) {
	w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{expired("T1")}}}, cargoAsk("get", "https://git.example.com/"))
	if err := Cargo(t.Context(), w.env, CargoOptions{}); err != nil || len(w.warned) != 1 {
		t.Errorf("error %v, warned of %v", err, w.warned)
	}
	signedIn := 0
	target := &Target{Source: &fakeSource{errs: []error{errSignIn}, tokens: []*session.Token{live("T1")}}, SignIn: func(context.Context) error { signedIn++; return nil }}
	w = newWorld(target, cargoAsk("login", "https://git.example.com/"))
	if err := Cargo(t.Context(), w.env, CargoOptions{}); err != nil || signedIn != 1 || !strings.Contains(w.out.String(), `"Ok"`) {
		t.Errorf("error %v, signed in %d times, answer %q", err, signedIn, w.out.String())
	}
}

func TestCargoTooLong(t *testing.T) {
	w := newWorld(nil, strings.Repeat("x", maxCargoRequest+1))
	want := cargoHello + `{"Err":{"kind":"other","message":"cargo's request is longer than 1048576 bytes"}}` + "\n"
	if err := Cargo(t.Context(), w.env, CargoOptions{}); err != nil || w.out.String() != want {
		t.Errorf("error %v, answer %q", err, w.out.String())
	}
}

func TestCargoInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := newWorld(&Target{Source: &fakeSource{err: context.Canceled}}, cargoAsk("get", "https://git.example.com/"))
	if err := Cargo(ctx, w.env, CargoOptions{}); !errors.Is(err, context.Canceled) || w.out.String() != cargoHello {
		t.Errorf("error %v, answer %q", err, w.out.String())
	}
}

// FuzzCargo: whatever comes in, each answer is a line of JSON with either a
// result or an error, and a token only for an index on a mapped host.
func FuzzCargo(f *testing.F) {
	for _, s := range []string{
		"", "{}", "\n\n", "null", cargoAsk("get", "sparse+https://git.example.com/i/"), cargoAsk("login", "https://git.example.com"),
		cargoAsk("logout", "sparse+https://x.dev.example.com:8443/"), cargoAsk("get", "https://git.example.com@evil.example.org/"),
		cargoAsk("get", `https://evil.example.org\@git.example.com/`), cargoAsk("get", "sparse+sparse+https://git.example.com"),
		`{"v":1,"kind":"get","registry":{"index-url":"https://git.example.com"},"args":[1]}`, `{"v":1,"kind":"get","Kind":"login"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}, string(in))
		asked := ""
		resolve := w.env.Resolve
		w.env.Resolve = func(s Server) (*Target, error) { asked = s.Host; return resolve(s) }
		if err := Cargo(t.Context(), w.env, CargoOptions{}); err != nil && len(in) < maxCargoRequest {
			t.Fatal(err)
		}
		rest, ok := strings.CutPrefix(w.out.String(), cargoHello)
		if !ok {
			t.Fatalf("no hello in %q", w.out.String())
		}
		for l := range strings.Lines(rest) {
			var answer cargoResult
			if err := json.Unmarshal([]byte(l), &answer); err != nil || (answer.Ok == nil) == (answer.Err == nil) || !strings.HasSuffix(l, "\n") {
				t.Fatalf("answer %q: %v", l, err)
			}
			if answer.Ok != nil && !Match([]string{"git.example.com", "*.dev.example.com:8443", "127.0.0.1:80", "127.0.0.1", "localhost:3000"}, asked) {
				t.Fatalf("a token for %q", asked)
			}
		}
	})
}
