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

// memoryKeeper keeps in memory.
type memoryKeeper struct {
	kept   map[string][]byte
	locked bool
	// onLock is what another process does meanwhile.
	onLock  func()
	saveErr error
	waited  []bool
}

func (k *memoryKeeper) Load(_ context.Context, name string) ([]byte, error) { return k.kept[name], nil }

func (k *memoryKeeper) Save(_ context.Context, name string, data []byte) error {
	if k.kept == nil {
		k.kept = map[string][]byte{}
	}
	if k.saveErr == nil {
		k.kept[name] = data
	}
	return k.saveErr
}

func (k *memoryKeeper) Remove(_ context.Context, name string) error {
	delete(k.kept, name)
	return nil
}

func (k *memoryKeeper) Lock(_ context.Context, _ string, wait bool) (func(), bool, error) {
	k.waited = append(k.waited, wait)
	if k.onLock != nil {
		k.onLock()
	}
	return func() {}, !k.locked, nil
}

func TestTrade(t *testing.T) {
	down := &serverDown{reason: "HTTP 503"}
	no := &refusal{message: "no"}
	unreachable := &session.Error{Kind: session.Unreachable, Message: "the provider is down"}
	// life is what is left of an hour of the kept credential.
	kept := func(life time.Duration) *tradedFor {
		return &tradedFor{Value: json.RawMessage(`"kept"`), Obtained: now.Add(life - time.Hour), Expiry: now.Add(life)}
	}
	for _, tt := range []struct {
		name   string
		held   *tradedFor
		anew   bool
		errs   []error // of fetch
		token  *session.Token
		source error
		busy   bool
		// other is what another process keeps while this one takes the lock.
		other   *tradedFor
		want    string // the credential, or a part of the error
		fetched int
		kind    session.Kind
	}{
		{name: "nothing kept", want: "new", fetched: 1},
		{name: "fresh", held: kept(30 * time.Minute), want: "kept"},
		{name: "no end", held: &tradedFor{Value: json.RawMessage(`"kept"`)}, want: "kept"},
		{name: "due", held: kept(14 * time.Minute), want: "new", fetched: 1},
		{name: "a short one is not due at once", held: &tradedFor{Value: json.RawMessage(`"kept"`), Obtained: now, Expiry: now.Add(10 * time.Minute)}, want: "kept"},
		{name: "ended", held: kept(-time.Second), want: "new", fetched: 1},
		{name: "anew", held: kept(30 * time.Minute), anew: true, want: "new", fetched: 1},
		{name: "outage, still good", held: kept(time.Minute), errs: []error{down}, want: "kept", fetched: 1},
		{name: "outage, ended", held: kept(-time.Minute), errs: []error{down}, want: "HTTP 503", fetched: 1, kind: session.Unreachable},
		{name: "outage, nothing kept", errs: []error{down}, want: "HTTP 503", fetched: 1, kind: session.Unreachable},
		{name: "a no is a no", held: kept(time.Minute), errs: []error{no}, want: "no", fetched: 1},
		{name: "the token is refused, once", errs: []error{&tokenRefused{*no}}, want: "new", fetched: 2},
		{name: "the token is refused, twice", errs: []error{&tokenRefused{*no}, &tokenRefused{*no}}, want: "no", fetched: 2},
		{name: "the provider is down, still good", held: kept(time.Minute), source: unreachable, want: "kept"},
		{name: "the provider is down, ended", held: kept(-time.Minute), source: unreachable, want: "the provider is down", kind: session.Unreachable},
		{name: "signed out", held: kept(time.Minute), source: errSignIn, want: "sign-in required", kind: session.SignInRequired},
		{name: "an expired token is not sent", token: expired("T0"), want: "accepts no expired token", kind: session.Unreachable},
		{name: "an expired token, still good", held: kept(time.Minute), token: expired("T0"), want: "kept"},
		{name: "another one asks", held: kept(12 * time.Minute), busy: true, want: "kept"},
		{name: "another one hangs", busy: true, want: "does not finish", kind: session.Unreachable},
		{name: "another one was first", other: &tradedFor{Value: json.RawMessage(`"other"`), Obtained: now, Expiry: now.Add(time.Hour)}, want: "other"},
		{name: "another one failed", held: kept(time.Minute), other: &tradedFor{Value: json.RawMessage(`"kept"`), Obtained: now.Add(-59 * time.Minute), Expiry: now.Add(time.Minute), Failed: now, Reason: "HTTP 500"}, want: "kept"},
		{name: "another one failed, nothing kept", other: &tradedFor{Failed: now, Reason: "HTTP 500"}, want: "HTTP 500; next try in 30 seconds", kind: session.Unreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tok := tt.token
			if tok == nil {
				tok = live("T1")
			}
			src := &fakeSource{tokens: []*session.Token{tok}, err: tt.source}
			keep := &memoryKeeper{locked: tt.busy}
			target := &Target{Source: src, Profile: "work", Keep: keep}
			w := newWorld(target, "")
			fetched := 0
			tr := &trade{
				kind: "aws", key: []string{"a"}, server: "STS", should: 15 * time.Minute, must: 10 * time.Minute, anew: tt.anew,
				fetch: func(context.Context, *session.Token) (tradedFor, error) {
					fetched++
					if fetched <= len(tt.errs) {
						return tradedFor{}, tt.errs[fetched-1]
					}
					return tradedFor{Value: json.RawMessage(`"new"`), Expiry: now.Add(time.Hour)}, nil
				},
			}
			if tt.held != nil {
				if err := tr.save(t.Context(), target, tt.held); err != nil {
					t.Fatal(err)
				}
			}
			if tt.other != nil {
				keep.onLock = func() { _ = tr.save(t.Context(), target, tt.other) }
			}
			got, err := tr.run(t.Context(), w.env, target)
			var text string
			if err != nil {
				text = err.Error()
			} else {
				text = string(got.Value)
			}
			if !strings.Contains(text, tt.want) || fetched != tt.fetched || session.KindOf(err) != tt.kind {
				t.Errorf("got %q (kind %d) after %d requests, want %q (kind %d) after %d", text, session.KindOf(err), fetched, tt.want, tt.kind, tt.fetched)
			}
		})
	}
}

// While the server is down one call in a while waits for it, and the others go
// by what is known.
func TestTradeWaits(t *testing.T) {
	at := now
	keep := &memoryKeeper{saveErr: nil}
	target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work", Keep: keep}
	w := newWorld(target, "")
	w.env.Now = func() time.Time { return at }
	fetched, fails := 0, true
	tr := &trade{kind: "aws", server: "STS", fetch: func(context.Context, *session.Token) (tradedFor, error) {
		fetched++
		if fails {
			return tradedFor{}, &serverDown{reason: "HTTP 503"}
		}
		return tradedFor{Value: json.RawMessage(`"new"`), Expiry: at.Add(time.Hour)}, nil
	}}
	for range 5 {
		if _, err := tr.run(t.Context(), w.env, target); session.KindOf(err) != session.Unreachable {
			t.Fatalf("error %v", err)
		}
	}
	if fetched != 1 {
		t.Errorf("%d requests in an outage", fetched)
	}
	at, fails = at.Add(tradeRetry), false
	if got, err := tr.run(t.Context(), w.env, target); err != nil || string(got.Value) != `"new"` {
		t.Errorf("afterwards: %v, %v", got, err)
	}
	// What can't be kept is given out all the same.
	keep.kept, keep.saveErr = nil, errors.New("the disk is full")
	if got, err := tr.run(t.Context(), w.env, target); err != nil || string(got.Value) != `"new"` {
		t.Errorf("without a disk: %v, %v", got, err)
	}
}

func TestTradeLocks(t *testing.T) {
	for life, wait := range map[time.Duration]bool{14 * time.Minute: false, 9 * time.Minute: true, -time.Minute: true} {
		keep := &memoryKeeper{}
		target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Keep: keep}
		tr := &trade{kind: "aws", should: 15 * time.Minute, must: 10 * time.Minute, fetch: func(context.Context, *session.Token) (tradedFor, error) {
			return tradedFor{Value: json.RawMessage(`"new"`)}, nil
		}}
		held := &tradedFor{Value: json.RawMessage(`"kept"`), Obtained: now.Add(life - time.Hour), Expiry: now.Add(life)}
		if err := tr.save(t.Context(), target, held); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.run(t.Context(), newWorld(target, "").env, target); err != nil {
			t.Fatal(err)
		}
		if len(keep.waited) != 1 || keep.waited[0] != wait {
			t.Errorf("with %s left it waits %v, want %t", life, keep.waited, wait)
		}
	}
}
