package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// DefaultTimeout bounds one whole exchange with the provider.
const DefaultTimeout = 10 * time.Second

// Config is what a [Manager] works with. Profile, Flow and Store are needed;
// the zero value of any other field works.
type Config struct {
	// Profile names the session.
	Profile string
	// Flow talks to the provider. The issuer and the client are its own.
	Flow *oidcflow.Client
	// Store keeps the session.
	Store *cache.Store
	// StoreName is shown by status.
	StoreName string
	// Documents caches the provider's discovery document and keys. With an
	// empty Dir nothing is cached.
	Documents cache.Documents
	// Policy is the offline policy; nil is [offline.DefaultPolicy].
	Policy *offline.Policy
	// Timeout bounds one whole exchange with the provider, and the wait for
	// another process that holds the session's lock; 0 is [DefaultTimeout].
	Timeout time.Duration
	// OnEvent is told what happens to the session. It is called in the order
	// of the events and must not call the Manager.
	OnEvent func(offline.Event)
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
	// Random in [-1, 1] spreads the waits between tries; nil is random.
	Random func() float64
}

// Manager gives out one profile's tokens. It is safe for concurrent use, by
// goroutines and by processes.
type Manager struct {
	profile   string
	id        string
	flow      *oidcflow.Client
	store     *cache.Store
	storeName string
	documents cache.Documents
	policy    offline.Policy
	timeout   time.Duration
	onEvent   func(offline.Event)
	now       func() time.Time
	random    func() float64
}

// New makes a Manager. It does no I/O.
func New(c Config) *Manager {
	m := &Manager{
		profile: c.Profile, flow: c.Flow, store: c.Store, storeName: c.StoreName,
		documents: c.Documents, timeout: c.Timeout, onEvent: c.OnEvent, now: c.Now, random: c.Random,
		policy: offline.DefaultPolicy(),
	}
	m.id = SessionID(c.Profile, c.Flow.Issuer, c.Flow.ClientID)
	if c.Policy != nil {
		m.policy = *c.Policy
	}
	if m.timeout <= 0 {
		m.timeout = DefaultTimeout
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.random == nil {
		m.random = func() float64 { return 2*rand.Float64() - 1 } //nolint:gosec // spreads retries, no secret
	}
	return m
}

// load reads the session; nil if there is none.
func (m *Manager) load(ctx context.Context) (*record, error) {
	data, err := m.store.Load(ctx, m.id)
	if errors.Is(err, cache.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, m.storeError(err)
	}
	rec, err := decodeRecord(data)
	if err != nil {
		return nil, m.storeError(err)
	}
	return rec, nil
}

// save stores the session of one that was loaded.
func (m *Manager) save(ctx context.Context, rec *record) error {
	sealed, plain, err := rec.encode(m.storeName)
	if err != nil {
		return err
	}
	return m.store.Save(ctx, m.id, sealed, plain)
}

// emit tells of events, with the time and the profile filled in.
func (m *Manager) emit(events ...offline.Event) {
	if m.onEvent == nil {
		return
	}
	for _, e := range events {
		e.Time, e.Profile = m.now().UTC(), m.profile
		m.onEvent(e)
	}
}

func (m *Manager) storeError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Kind: StoreUnusable, Profile: m.profile, Message: err.Error(), Err: err}
	var keychain *cache.KeychainError
	switch {
	case errors.As(err, &keychain):
		e.Hint = keychain.Hint()
	case errors.Is(err, cache.ErrCorrupt):
		e.Message = "the stored session of profile " + m.profile + " can't be read: " + err.Error()
		e.Hint = "run 'oidc-cred login --profile " + m.profile + "' to replace it"
	default:
		e.Hint = "check the owner and the permissions of the state directory; 'oidc-cred doctor' shows where it is"
	}
	return e
}
