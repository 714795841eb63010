package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	calls int
	fail  error
	onGet func()
}

func (k *memoryKeychain) Name() string { return "memory" }

// use counts a call, and fails it if that is set or the caller gave up.
func (k *memoryKeychain) use(ctx context.Context, work func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case k.fail != nil:
		return k.fail
	}
	return work()
}

func (k *memoryKeychain) Get(ctx context.Context, name string) (item []byte, err error) {
	err = k.use(ctx, func() error {
		var ok bool
		if item, ok = k.items[name]; !ok {
			return cache.ErrNotFound
		}
		return nil
	})
	if k.onGet != nil {
		k.onGet()
	}
	return item, err
}

func (k *memoryKeychain) Set(ctx context.Context, name string, secret []byte) error {
	return k.use(ctx, func() error {
		if k.items == nil {
			k.items = map[string][]byte{}
		}
		k.items[name] = slices.Clone(secret)
		return nil
	})
}

func (k *memoryKeychain) Remove(ctx context.Context, name string) error {
	return k.use(ctx, func() error {
		delete(k.items, name)
		return nil
	})
}

// broken makes every call fail with the problem; "" mends it.
func (k *memoryKeychain) broken(p cache.Problem) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = nil
	if p != "" {
		k.fail = &cache.KeychainError{Backend: "memory", Op: "get", Problem: p, Err: errors.New("broken by the test")}
	}
}

func (k *memoryKeychain) count() (calls, items int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls, len(k.items)
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

func (c *clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *clock) Add(d time.Duration) { c.Set(c.Now().Add(d)) }

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
	scopes   []string
	browser  func(context.Context, string) error
	options  session.LoginOptions // what login begins with
	workload *session.Workload
	flow     func(*oidcflow.Client) // changes the flow that a manager gets

	mu     sync.Mutex
	events []offline.Event
	said   []string // everything that came out, but for the tokens
}

func newWorld(t *testing.T, settings oidctest.Settings) *world {
	return newWorldAt(t, oidctest.Options{Settings: settings})
}

func newWorldAt(t *testing.T, o oidctest.Options) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{now: time.Now().Truncate(time.Second)}, keychain: &memoryKeychain{},
		dir: tempDir(t), policy: offline.DefaultPolicy(), timeout: 20 * time.Second,
		scopes: []string{"openid", "profile", "offline_access"},
	}
	w.policy.Enabled = true
	w.policy.Retry.Jitter = 0
	o.Now = w.clock.Now
	if o.Algorithm == "" {
		o.Algorithm = "ES256" // a new RSA key takes long
	}
	w.provider = oidctest.New(o)
	t.Cleanup(w.provider.Close)
	w.client = w.provider.HTTPClient()
	w.browser = oidctest.Browser(w.client)
	t.Cleanup(w.checkSecrets)
	return w
}

// tempDir is a folder in memory where there is such a thing: every save waits
// for the disk, and there are thousands.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "oidc-cred-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// signedIn is a world in which somebody has signed in just now.
func signedIn(t *testing.T, settings oidctest.Settings) *world {
	t.Helper()
	w := newWorld(t, settings)
	w.login()
	w.eventTypes()
	return w
}

// manager makes one as a new process would.
func (w *world) manager() *session.Manager {
	policy := w.policy
	flow := &oidcflow.Client{
		Issuer: w.provider.Issuer(), ClientID: "oidc-cred", Now: w.clock.Now, HTTP: w.client,
		Scopes: w.scopes, Timeout: w.timeout,
	}
	if w.flow != nil {
		w.flow(flow)
	}
	return session.New(session.Config{
		Profile:   "work",
		Flow:      flow,
		Workload:  w.workload,
		Store:     w.store(),
		StoreName: "memory",
		Documents: cache.Documents{Dir: filepath.Join(w.dir, "documents")},
		Policy:    &policy,
		Timeout:   w.timeout,
		Now:       w.clock.Now,
		Random:    func() float64 { return 0 },
		OnEvent: func(e offline.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
			line, _ := json.Marshal(e)
			w.said = append(w.said, string(line), fmt.Sprintf("%+v", e))
		},
	})
}

func (w *world) store() *cache.Store {
	return cache.New(cache.Options{Dir: w.dir, Keychain: w.keychain})
}

func (w *world) id() string {
	return w.manager().SessionID()
}

// file is the path of one of the session's files.
func (w *world) file(suffix string) string {
	return filepath.Join(w.dir, "sessions", w.id()+suffix)
}

// eventTypes gives the events since the last call, warnings as "warning NAME".
func (w *world) eventTypes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var types []string
	for _, e := range w.events {
		name := string(e.Type)
		if e.Type == offline.EventWarning {
			name = "warning " + string(e.Warning)
		}
		types = append(types, name)
	}
	w.events = nil
	return types
}

func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if have := w.eventTypes(); !slices.Equal(have, want) {
		w.t.Errorf("events are %q, want %q", have, want)
	}
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
	o := w.options
	o.SignIn = oidcflow.SignInOptions{Redirect: "http://127.0.0.1:0/callback", Open: w.browser, Timeout: 20 * time.Second}
	l, err := w.manager().Login(context.Background(), o)
	w.heard(err)
	w.say(fmt.Sprintf("%+v", l))
	return l, err
}

func (w *world) token(req session.Request) (*session.Token, error) {
	return w.tokenFrom(w.manager(), req)
}

func (w *world) tokenFrom(m *session.Manager, req session.Request) (*session.Token, error) {
	tok, err := m.Token(context.Background(), req)
	w.heard(err)
	w.say(fmt.Sprintf("%v %+v", tok, tok))
	return tok, err
}

func (w *world) mustToken(req session.Request) *session.Token {
	w.t.Helper()
	tok, err := w.token(req)
	if err != nil {
		w.t.Fatalf("token: %v", err)
	}
	if tok.Value.IsZero() {
		w.t.Fatal("the token is empty")
	}
	return tok
}

func (w *world) status() *session.Status {
	w.t.Helper()
	s, err := w.manager().Status()
	if err != nil {
		w.t.Fatalf("status: %v", err)
	}
	w.say(fmt.Sprintf("%+v", s))
	return s
}

// refreshToken is the one in the sealed file.
func (w *world) refreshToken() string {
	w.t.Helper()
	data, err := w.store().Load(context.Background(), w.id())
	if err != nil {
		w.t.Fatalf("the session: %v", err)
	}
	refresh, err := session.RefreshTokenIn(data)
	if err != nil {
		w.t.Fatal(err)
	}
	return refresh
}

// lock holds the session's lock, as another process would.
func (w *world) lock() (release func()) {
	w.t.Helper()
	release, err := w.store().Lock(context.Background(), w.id())
	if err != nil {
		w.t.Fatal(err)
	}
	return release
}

func (w *world) wantKind(err error, kind session.Kind) *session.Error {
	w.t.Helper()
	var e *session.Error
	if !errors.As(err, &e) || e.Kind != kind {
		w.t.Fatalf("error %v is of kind %d, want %d", err, session.KindOf(err), kind)
	}
	if e.Hint == "" {
		w.t.Errorf("error %q has no hint", e)
	}
	return e
}

// wantGone says that nothing is left of the session but why it ended.
func (w *world) wantGone(cause offline.Cause) {
	w.t.Helper()
	if _, items := w.keychain.count(); items != 0 {
		w.t.Error("the key is still in the keychain")
	}
	if _, err := os.Stat(w.file(".sealed")); !errors.Is(err, fs.ErrNotExist) {
		w.t.Errorf("the sealed file: %v", err)
	}
	s := w.status()
	if s.State != session.StateSignInRequired || s.SignedOut == nil || s.SignedOut.Cause != cause {
		w.t.Errorf("status is %+v, signed out %+v, want cause %s", s, s.SignedOut, cause)
	}
}

// wantKept says that the session is all there.
func (w *world) wantKept() {
	w.t.Helper()
	if w.refreshToken() == "" {
		w.t.Error("the session has lost its refresh token")
	}
	if s := w.status(); !s.HasRefreshToken || s.SignedOut != nil {
		w.t.Errorf("status is %+v", s)
	}
}

func warnings(ws []offline.Warning) (types []offline.WarningType) {
	for _, w := range ws {
		types = append(types, w.Type)
	}
	return types
}

func (w *world) wantWarnings(tok *session.Token, want ...offline.WarningType) {
	w.t.Helper()
	if have := warnings(tok.Warnings); !slices.Equal(have, want) {
		w.t.Errorf("warnings are %q, want %q", have, want)
	}
}

func (w *world) say(texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, texts...)
}

// heard keeps all that an error may tell.
func (w *world) heard(err error) {
	for ; err != nil; err = errors.Unwrap(err) {
		w.say(err.Error(), fmt.Sprintf("%+v", err))
		var e *session.Error
		if errors.As(err, &e) {
			w.say(e.Hint)
		}
	}
}

// checkSecrets runs after every test: no secret that the provider has given
// out may be in what was said or, in clear, on disk.
func (w *world) checkSecrets() {
	texts := map[string][]string{"output": w.said}
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = []string{string(data)}
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
	for _, secret := range w.provider.Secrets() {
		for where, all := range texts {
			for _, text := range all {
				if strings.Contains(text, secret) {
					w.t.Errorf("%s has the secret %q in it: %.500s", where, secret, text)
				}
			}
		}
	}
}

// copyTo makes a world of its own that has the same provider and clock and a
// copy of the session.
func (w *world) copyTo(t *testing.T) *world {
	t.Helper()
	c := &world{
		t: t, provider: w.provider, clock: w.clock, dir: tempDir(t), policy: w.policy, timeout: w.timeout,
		client: w.client, scopes: w.scopes, browser: w.browser, workload: w.workload, flow: w.flow,
		keychain: &memoryKeychain{items: maps.Clone(w.keychain.items)},
	}
	if err := os.CopyFS(c.dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.checkSecrets)
	return c
}

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// onRequest has before called with each request to the endpoint, and after
// with each answer to one.
func (w *world) onRequest(e oidctest.Endpoint, before, after func()) {
	next := w.provider.HTTPClient().Transport
	w.client = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		ours := r.URL.String() == w.provider.URL(e)
		if ours && before != nil {
			before()
		}
		response, err := next.RoundTrip(r)
		if ours && after != nil {
			after()
		}
		return response, err
	})}
}
