package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestManyCallers: a provider that rotates and revokes the family at a second
// use, and many callers that find the token expired.
func TestManyCallers(t *testing.T) {
	for name, shared := range map[string]bool{"goroutines": true, "processes": false} {
		for kind, req := range map[string]session.Request{"expired": {}, "ID token": {Type: session.ID}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				w := signedIn(t, oidctest.Settings{})
				w.clock.Add(2 * time.Hour)
				one := w.manager()
				tokens := make([]*session.Token, 50)
				var group sync.WaitGroup
				for i := range tokens {
					m := one
					if !shared {
						m = w.manager()
					}
					group.Go(func() {
						tok, err := w.tokenFrom(m, req)
						if err != nil {
							t.Error(err)
						}
						tokens[i] = tok
					})
				}
				group.Wait()
				for _, tok := range tokens {
					if tok == nil {
						continue
					}
					if !tok.Value.Equal(tokens[0].Value) || tok.Expired || tok.Offline || len(tok.Warnings) != 0 {
						t.Fatalf("a caller got %+v", tok)
					}
				}
				if granted, reused := w.provider.Granted("refresh_token"), w.provider.Reused(); granted != 1 || reused != 0 {
					t.Errorf("%d refreshes, %d with a spent token", granted, reused)
				}
				w.wantEvents("token_refreshed")
			})
		}
	}
}

// TestManyForce: each of them wanted a new token, and one that came during the
// call is one.
func TestManyForce(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first := w.mustToken(session.Request{})
	release := w.lock()
	var waiting []<-chan tokenResult
	for range 20 {
		waiting = append(waiting, w.tokenInBackground(context.Background(), session.Request{ForceRefresh: true}))
	}
	release()
	for _, done := range waiting {
		if r := <-done; r.err != nil || r.token.Value.Equal(first.Value) {
			t.Errorf("forced: %+v, %v", r.token, r.err)
		}
	}
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("%d spent refresh tokens were used", n)
	}
}

// TestManyCallersInOutage: one try and one failure counted, whoever calls.
func TestManyCallersInOutage(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	var waiting []<-chan tokenResult
	for range 50 {
		waiting = append(waiting, w.tokenInBackground(context.Background(), session.Request{}))
	}
	for _, done := range waiting {
		if r := <-done; r.err != nil || !r.token.Expired || !r.token.Offline {
			t.Errorf("offline: %+v, %v", r.token, r.err)
		}
	}
	if n := w.provider.Count(oidctest.TokenEndpoint); n != 2 { // the sign-in and one try
		t.Errorf("%d requests to the token endpoint", n)
	}
	if s := w.status(); s.Offline.Failures != 1 {
		t.Errorf("%d failures", s.Offline.Failures)
	}
}

// TestLockHeld: an unexpired token is given at once; for an expired one the
// wait is no longer than the timeout. The fake clock of synctest measures it.
func TestLockHeld(t *testing.T) {
	off := false
	for name, c := range map[string]struct {
		after time.Duration
		req   session.Request
		waits bool
		kind  session.Kind
	}{
		"in the window":        {after: 59*time.Minute + 30*time.Second},
		"forced":               {req: session.Request{ForceRefresh: true}, waits: true},
		"expired":              {after: 2 * time.Hour, waits: true},
		"expired, offline off": {after: 2 * time.Hour, req: session.Request{Offline: &off}, waits: true, kind: session.Unreachable},
		"past the limit":       {after: 8 * 24 * time.Hour, waits: true, kind: session.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.timeout = 10 * time.Second
			requests := w.provider.Count(oidctest.AnyEndpoint)
			defer w.lock()()
			w.clock.Add(c.after)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				tok, err := w.token(c.req)
				took := time.Since(start)
				if c.waits != (took >= w.timeout) || took > w.timeout+time.Second {
					t.Errorf("it took %s", took)
				}
				if c.kind != 0 {
					w.wantKind(err, c.kind)
				} else if err != nil || tok.Expired != (c.after > time.Hour) {
					t.Errorf("the token is %+v, %v", tok, err)
				}
			})
			if n := w.provider.Count(oidctest.AnyEndpoint) - requests; n != 0 {
				t.Errorf("%d requests without the lock", n)
			}
			w.wantKept()
		})
	}
}

// TestSilentProvider: the whole exchange takes no longer than the timeout, and
// those who come meanwhile with a good token don't wait at all.
func TestSilentProvider(t *testing.T) {
	for name, old := range map[string]time.Duration{"fresh document": 0, "old document": 48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.timeout = 10 * time.Second
			w.clock.Add(2*time.Hour + old)
			synctest.Test(t, func(t *testing.T) {
				w.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})}
				start := time.Now()
				tok, err := w.token(session.Request{})
				if took := time.Since(start); took != w.timeout {
					t.Errorf("it took %s", took)
				}
				if err != nil || !tok.Expired || tok.Reason != offline.ReasonNetworkUnavailable {
					t.Errorf("the token is %+v, %v", tok, err)
				}
				start = time.Now()
				if _, err := w.token(session.Request{}); err != nil || time.Since(start) != 0 {
					t.Errorf("inside the backoff: %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

// TestCancelledBefore: nothing is sent, nothing is counted.
func TestCancelledBefore(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	requests := w.provider.Count(oidctest.AnyEndpoint)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.manager().Token(ctx, session.Request{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if n := w.provider.Count(oidctest.AnyEndpoint) - requests; n != 0 {
		t.Errorf("%d requests", n)
	}
	if s := w.status(); s.State != session.StateOnline {
		t.Errorf("status is %+v", s)
	}
	w.wantEvents()
}

// TestCancelledInDiscovery: so does an interrupt before the refresh token is
// on its way.
func TestCancelledInDiscovery(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(48 * time.Hour)
	w.provider.Set(oidctest.DiscoveryEndpoint, oidctest.Hold())
	ctx, cancel := context.WithCancel(context.Background())
	done := w.tokenInBackground(ctx, session.Request{})
	w.awaitRequests(oidctest.DiscoveryEndpoint, 2)
	cancel()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the error is %v", r.err)
	}
	if n := w.provider.Count(oidctest.TokenEndpoint); n != 1 {
		t.Errorf("%d requests to the token endpoint", n)
	}
	w.wantEvents()
}

// TestCancelledOnTheWire: once the refresh token was sent the answer is waited
// for and stored, or it is lost and the session with it.
func TestCancelledOnTheWire(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	spent := w.refreshToken()
	w.clock.Add(2 * time.Hour)
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Hold().Performed())
	ctx, cancel := context.WithCancel(context.Background())
	done := w.tokenInBackground(ctx, session.Request{})
	w.awaitRequests(oidctest.TokenEndpoint, 2)
	cancel()
	w.provider.Clear()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the error is %v", r.err)
	}
	if w.refreshToken() == spent {
		t.Fatal("the rotated refresh token is lost")
	}
	tok := w.mustToken(session.Request{})
	if tok.Expired || w.provider.Reused() != 0 || w.provider.Granted("refresh_token") != 1 {
		t.Errorf("the next call gets %+v", tok)
	}
}

// TestCancelledInChecks: what comes after the answer is stored does not hold up
// an interrupt.
func TestCancelledInChecks(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	w.provider.RotateKeys(true)
	w.provider.Set(oidctest.KeysEndpoint, oidctest.Hold())
	keys := w.provider.Count(oidctest.KeysEndpoint)
	ctx, cancel := context.WithCancel(context.Background())
	done := w.tokenInBackground(ctx, session.Request{})
	w.awaitRequests(oidctest.KeysEndpoint, keys+1)
	cancel()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the error is %v", r.err)
	}
	w.provider.Clear()
	w.wantWarnings(w.mustToken(session.Request{}), offline.WarnTokenValidationSkipped)
	w.clock.Add(2 * time.Hour)
	w.wantWarnings(w.mustToken(session.Request{}))
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("%d spent refresh tokens were used", n)
	}
}

// TestCancelledForLock: nobody waits for a lock after an interrupt.
func TestCancelledForLock(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	defer w.lock()()
	w.clock.Add(2 * time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	done := w.tokenInBackground(ctx, session.Request{})
	cancel()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Errorf("the error is %v", r.err)
	}
}

// TestCallersDeadline: a caller in a hurry is told that it was the time that ran
// out, and nothing is concluded about the provider.
func TestCallersDeadline(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(2 * time.Hour)
	defer w.lock()()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := w.manager().Token(ctx, session.Request{})
		if !errors.Is(err, context.DeadlineExceeded) || session.KindOf(err) != 0 || time.Since(start) > 2*time.Second {
			t.Errorf("after %s the error is %v", time.Since(start), err)
		}
	})
	if s := w.status(); s.State != session.StateOnline {
		t.Errorf("status is %+v", s)
	}
}

// TestMarkStale: a resource server refused the credential.
func TestMarkStale(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	ctx := context.Background()
	first := w.mustToken(session.Request{})
	for name, other := range map[string]oidcflow.Secret{"empty": {}, "other": oidcflow.NewSecret("other"), "refresh token": oidcflow.NewSecret(w.refreshToken())} {
		if found, err := w.manager().MarkStale(ctx, other); found || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	if tok := w.mustToken(session.Request{}); !tok.Value.Equal(first.Value) {
		t.Fatal("nothing was stale and the token is another one")
	}
	if found, err := w.manager().MarkStale(ctx, first.Value); !found || err != nil {
		t.Errorf("the cached token: %v, %v", found, err)
	}
	second := w.mustToken(session.Request{})
	if second.Value.Equal(first.Value) {
		t.Error("the stale token was not refreshed")
	}
	if found, err := w.manager().MarkStale(ctx, first.Value); found || err != nil {
		t.Errorf("a former token: %v, %v", found, err)
	}
	if tok := w.mustToken(session.Request{}); !tok.Value.Equal(second.Value) {
		t.Error("a former token's refusal cost a refresh")
	}
	// The one that came in its place is not refreshed at once.
	if found, err := w.manager().MarkStale(ctx, second.Value); found || err != nil {
		t.Errorf("refused again at once: %v, %v", found, err)
	}
	if tok := w.mustToken(session.Request{}); !tok.Value.Equal(second.Value) {
		t.Error("a server that takes no token has the provider asked each time")
	}
	w.clock.Add(2 * time.Minute)
	// In an outage a stale token is better than none.
	if _, err := w.manager().MarkStale(ctx, second.Value); err != nil {
		t.Error(err)
	}
	w.provider.Down()
	if tok := w.mustToken(session.Request{}); !tok.Value.Equal(second.Value) || !tok.Offline {
		t.Errorf("in an outage the stale token is %+v", tok)
	}
}

// TestRefused: a refusal of which it is only known that it was of the last
// token costs one refresh, however many report it.
func TestRefused(t *testing.T) {
	for _, kind := range []session.TokenType{session.Access, session.ID} {
		t.Run(string(kind), func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			first := w.mustToken(session.Request{Type: kind})
			w.clock.Add(time.Second)
			w.provider.ResetCounts()
			second := w.mustToken(session.Request{Type: kind, Refused: true})
			if second.Value.Equal(first.Value) {
				t.Error("the refused token was given out again")
			}
			for range 5 {
				if tok := w.mustToken(session.Request{Type: kind, Refused: true}); !tok.Value.Equal(second.Value) {
					t.Error("refreshed again")
				}
			}
			if n := w.provider.Count(oidctest.TokenEndpoint); n != 1 {
				t.Errorf("the provider was asked %d times", n)
			}
			w.clock.Add(61 * time.Second)
			third := w.mustToken(session.Request{Type: kind, Refused: true})
			if third.Value.Equal(second.Value) {
				t.Error("a minute later it is refreshed no more")
			}
			// A token that was renewed in the ordinary way is worth a refresh.
			w.clock.Add(2 * time.Hour)
			fourth := w.mustToken(session.Request{Type: kind})
			if tok := w.mustToken(session.Request{Type: kind, Refused: true}); tok.Value.Equal(fourth.Value) {
				t.Error("the refusal of a renewed token was passed over")
			}
		})
	}
}

// TestRefusedInParallel: many that were refused at once share one refresh.
func TestRefusedInParallel(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first := w.mustToken(session.Request{})
	w.provider.ResetCounts()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if tok, err := w.manager().Token(context.Background(), session.Request{Refused: true}); err != nil || tok.Value.Equal(first.Value) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if n := w.provider.Count(oidctest.TokenEndpoint); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// TestMarkStaleTooLate: the session went while its lock was waited for.
func TestMarkStaleTooLate(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first := w.mustToken(session.Request{})
	release := w.lock()
	read := make(chan struct{}, 9)
	w.keychain.onGet = func() { read <- struct{}{} }
	done := make(chan error, 1)
	go func() {
		found, err := w.manager().MarkStale(context.Background(), first.Value)
		if found {
			t.Error("a session that is gone was marked")
		}
		done <- err
	}()
	<-read
	if err := w.store().Destroy(context.Background(), w.id(), nil); err != nil {
		t.Error(err)
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMarkStaleWithoutLock(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.timeout = 50 * time.Millisecond
	first := w.mustToken(session.Request{})
	defer w.lock()()
	if found, err := w.manager().MarkStale(context.Background(), oidcflow.NewSecret("other")); found || err != nil {
		t.Errorf("a token of somebody else needs no lock: %v, %v", found, err)
	}
	_, err := w.manager().MarkStale(context.Background(), first.Value)
	if e := w.wantKind(err, session.StoreUnusable); !strings.Contains(e.Message, "another oidc-cred") {
		t.Errorf("the error is %v", e)
	}
}
