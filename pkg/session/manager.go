package session

import (
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
	// Workload makes it a session without a person; nil: a person signs in.
	Workload *Workload
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
	// OnWait is called before a call that may take long: it waits for another
	// process or asks the provider. A program that has not yet arranged for
	// interrupts to cancel the call's context can do so now.
	OnWait func()
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
	workload  *Workload
	store     *cache.Store
	storeName string
	documents cache.Documents
	policy    offline.Policy
	timeout   time.Duration
	onEvent   func(offline.Event)
	onWait    func()
	now       func() time.Time
	random    func() float64
}

// New makes a Manager. It does no I/O.
func New(c Config) *Manager {
	m := &Manager{
		profile: c.Profile, flow: c.Flow, workload: c.Workload, store: c.Store, storeName: c.StoreName,
		documents: c.Documents, timeout: c.Timeout, onEvent: c.OnEvent, onWait: c.OnWait, now: c.Now, random: c.Random,
		policy: offline.DefaultPolicy(),
	}
	m.id = SessionID(c.Profile, c.Flow.Issuer, c.Flow.ClientID)
	if c.Workload != nil {
		m.id = workloadID(c.Profile, c.Flow.Issuer, c.Flow.ClientID, c.Workload.Grant)
	}
	if c.Policy != nil {
		m.policy = *c.Policy
	}
	if m.timeout <= 0 {
		m.timeout = DefaultTimeout
	}
	if m.onWait == nil {
		m.onWait = func() {}
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.random == nil {
		m.random = func() float64 { return 2*rand.Float64() - 1 } //nolint:gosec // spreads retries, no secret
	}
	return m
}

// SessionID is the session's name in the store.
func (m *Manager) SessionID() string { return m.id }

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
