package session_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// memoryKeychain is a keychain that forgets.
type memoryKeychain struct {
	mu    sync.Mutex
	items map[string][]byte
	gets  int
	fail  error
}

func (k *memoryKeychain) Name() string { return "memory" }

func (k *memoryKeychain) Get(_ context.Context, name string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gets++
	if k.fail != nil {
		return nil, k.fail
	}
	if item, ok := k.items[name]; ok {
		return item, nil
	}
	return nil, cache.ErrNotFound
}

func (k *memoryKeychain) Set(_ context.Context, name string, secret []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	if k.items == nil {
		k.items = map[string][]byte{}
	}
	k.items[name] = append([]byte(nil), secret...)
	return nil
}

func (k *memoryKeychain) Remove(_ context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	delete(k.items, name)
	return nil
}

// clock is a clock that tests turn.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a provider, a clock that both sides go by, and a session's storage.
type world struct {
	t        *testing.T
	provider *oidctest.Provider
	clock    *clock
	keychain *memoryKeychain
	dir      string
	policy   offline.Policy
	timeout  time.Duration
	client   *http.Client

	mu     sync.Mutex
	events []offline.Event
}

func newWorld(t *testing.T, settings oidctest.Settings) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, keychain: &memoryKeychain{},
		dir: t.TempDir(), policy: offline.DefaultPolicy(), timeout: 5 * time.Second,
	}
	w.policy.Enabled = true
	w.policy.Retry.Jitter = 0
	w.provider = oidctest.New(oidctest.Options{Now: w.clock.Now, Settings: settings})
	t.Cleanup(w.provider.Close)
	w.client = w.provider.HTTPClient()
	return w
}

// manager makes one as a new process would.
func (w *world) manager() *session.Manager {
	policy := w.policy
	return session.New(session.Config{
		Profile: "work",
		Flow: &oidcflow.Client{
			Issuer: w.provider.Issuer(), ClientID: "oidc-cred", Now: w.clock.Now, HTTP: w.client,
			Scopes: []string{"openid", "profile", "offline_access"},
		},
		Store:     cache.New(cache.Options{Dir: w.dir, Keychain: w.keychain}),
		StoreName: "memory",
		Documents: cache.Documents{Dir: w.dir},
		Policy:    &policy,
		Timeout:   w.timeout,
		Now:       w.clock.Now,
		Random:    func() float64 { return 0 },
		OnEvent: func(e offline.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	})
}

func (w *world) eventTypes() []offline.EventType {
	w.mu.Lock()
	defer w.mu.Unlock()
	var types []offline.EventType
	for _, e := range w.events {
		types = append(types, e.Type)
	}
	w.events = nil
	return types
}

func (w *world) login() *session.Login {
	w.t.Helper()
	l, err := w.tryLogin()
	if err != nil {
		w.t.Fatalf("login: %v", err)
	}
	return l
}

func (w *world) tryLogin() (*session.Login, error) {
	return w.manager().Login(context.Background(), session.LoginOptions{SignIn: oidcflow.SignInOptions{
		Redirect: "http://127.0.0.1:0/callback", Open: oidctest.Browser(w.client), Timeout: 20 * time.Second,
	}})
}

func (w *world) token(req session.Request) (*session.Token, error) {
	return w.manager().Token(context.Background(), req)
}

func (w *world) mustToken(req session.Request) *session.Token {
	w.t.Helper()
	tok, err := w.token(req)
	if err != nil {
		w.t.Fatalf("token: %v", err)
	}
	return tok
}

func (w *world) wantKind(err error, kind session.Kind) *session.Error {
	w.t.Helper()
	var e *session.Error
	if !errors.As(err, &e) || e.Kind != kind {
		w.t.Fatalf("error %v is of kind %d, expected %d", err, session.KindOf(err), kind)
	}
	return e
}

func TestSignInThenTokenFromCache(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	l := w.login()
	if l.Subject == "" || !l.Refreshable || l.Profile != "work" {
		t.Errorf("login is %+v", l)
	}
	before := w.provider.Count(oidctest.AnyEndpoint)
	first := w.mustToken(session.Request{})
	if !w.provider.Active(first.Value.Reveal()) {
		t.Error("the token is not one that the provider knows")
	}
	if first.Offline || first.Expired || len(first.Warnings) != 0 {
		t.Errorf("a good token is %+v", first)
	}
	if n := w.provider.Count(oidctest.AnyEndpoint) - before; n != 0 {
		t.Errorf("a token from the cache cost %d requests", n)
	}
}

func TestRefreshRotates(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	w.login()
	first := w.mustToken(session.Request{})
	for range 3 {
		w.clock.Add(time.Hour)
		next := w.mustToken(session.Request{})
		if next.Value.Equal(first.Value) || next.Offline {
			t.Fatalf("after an hour the token is the same, or offline: %+v", next)
		}
		first = next
	}
	if n := w.provider.Reused(); n != 0 {
		t.Errorf("a spent refresh token was used %d times", n)
	}
}

func TestOutage(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	w.login()
	w.eventTypes()
	first := w.mustToken(session.Request{})
	w.provider.Down()
	w.clock.Add(2 * time.Hour)
	stale := w.mustToken(session.Request{})
	if !stale.Value.Equal(first.Value) || !stale.Expired || !stale.Offline || stale.Reason != offline.ReasonNetworkUnavailable {
		t.Errorf("in the outage the token is %+v", stale)
	}
	if len(stale.Warnings) != 1 || stale.Warnings[0].Type != offline.WarnUsingExpiredToken {
		t.Errorf("warnings are %v", stale.Warnings)
	}
	off := false
	_, err := w.token(session.Request{Offline: &off})
	w.wantKind(err, session.Unreachable)
	s, err := w.manager().Status()
	if err != nil || s.State != session.StateOffline || s.Offline.Failures != 1 {
		t.Errorf("status is %+v, %v", s, err)
	}
	w.provider.Up()
	w.clock.Add(time.Minute)
	if back := w.mustToken(session.Request{}); back.Offline || back.Value.Equal(first.Value) {
		t.Errorf("after the outage the token is %+v", back)
	}
	types := w.eventTypes()
	want := map[offline.EventType]bool{offline.EventOfflineEntered: true, offline.EventOfflineExited: true, offline.EventTokenRefreshed: true, offline.EventWarning: true}
	for _, have := range types {
		delete(want, have)
	}
	if len(want) != 0 {
		t.Errorf("events %v lack %v", types, want)
	}
}

func TestRejectionSignsOut(t *testing.T) {
	w := newWorld(t, oidctest.Settings{})
	w.login()
	w.provider.RevokeAll()
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	if len(w.keychain.items) != 0 {
		t.Error("the key is still in the keychain")
	}
	s, _ := w.manager().Status()
	if s.State != session.StateSignInRequired || s.SignedOut == nil || s.SignedOut.Cause != offline.CauseRejected {
		t.Errorf("status is %+v", s)
	}
	_, err = w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoSession {
		t.Errorf("the second call says %+v", e)
	}
}
