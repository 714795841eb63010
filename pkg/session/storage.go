package session

import (
	"context"
	"errors"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

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

// lock takes the session's lock. Waiting ends with the timeout, with an error
// that is [cache.ErrLocked], since whoever holds it gives up by then.
func (m *Manager) lock(ctx context.Context) (release func(), err error) {
	limit, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	release, err = m.store.Lock(limit, m.id)
	switch {
	case err == nil:
		return release, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, m.storeError(err)
}

// save stores the session of one that was loaded.
func (m *Manager) save(ctx context.Context, rec *record) error {
	sealed, plain, err := rec.encode(m.storeName)
	if err != nil {
		return err
	}
	return m.store.Save(ctx, m.id, sealed, plain)
}

// saveTries is how often, and saveWait how far apart, saving is tried.
const (
	saveTries = 3
	saveWait  = 50 * time.Millisecond
)

// saveFirmly tries a few times, whether the caller still waits or not: between
// the provider's answer and the disk there is nothing else that could bring a
// rotated refresh token back.
func (m *Manager) saveFirmly(ctx context.Context, rec *record) error {
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := m.save(ctx, rec)
		// A session that was removed meanwhile stays removed.
		if err == nil || try == saveTries || errors.Is(err, cache.ErrNotFound) {
			return err
		}
		time.Sleep(time.Duration(try) * saveWait)
	}
}

// destroy removes a session and leaves behind who it was and why it ended.
func (m *Manager) destroy(ctx context.Context, rec *record, why signedOut) error {
	err := m.store.Destroy(context.WithoutCancel(ctx), m.id, encodePublic(m.last(rec, why)))
	// If it is only the keychain that can't be used, the files are gone all the
	// same, and with them the session.
	var keychain *cache.KeychainError
	if err == nil || errors.As(err, &keychain) {
		m.emit(offline.Event{Type: offline.EventSignedOut, Cause: why.Cause})
	}
	if err != nil {
		return m.storeError(err)
	}
	return nil
}

// storeError says what is the matter with the storage.
func (m *Manager) storeError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Kind: StoreUnusable, Profile: m.profile, Message: err.Error(), Err: err}
	var keychain *cache.KeychainError
	switch {
	case errors.As(err, &keychain):
		e.Hint = keychain.Hint()
	case errors.Is(err, cache.ErrLocked):
		e.Message = "another oidc-cred holds the session of profile " + m.profile + " and does not let go"
		e.Hint = "try again"
	case errors.Is(err, cache.ErrCorrupt):
		e.Message = "the stored session of profile " + m.profile + " can't be read: " + err.Error()
		e.Hint = "run 'oidc-cred login --profile " + m.profile + "' to replace it"
	default:
		e.Hint = "check the owner and the permissions of the state directory; 'oidc-cred doctor' shows where it is"
	}
	return e
}

// last is what remains to be known of a session: who it was, and why it ended.
func (m *Manager) last(rec *record, why signedOut) public {
	p := public{Version: recordVersion, Profile: m.profile, Issuer: m.flow.Issuer, ClientID: m.flow.ClientID, Store: m.storeName, SignedOut: &why, Tries: why.try}
	if rec != nil {
		p.Subject, p.Username, p.LoginAt = rec.Subject, rec.Username, rec.LoginAt
		p.State = offline.State{LastSync: rec.State.LastSync}
	}
	return p
}

// noteMissing mends the public copy of a session that is no longer there: its
// sealed file or its key has been removed by somebody else. Without it status
// would say "online" for ever.
func (m *Manager) noteMissing(ctx context.Context) {
	data, err := m.store.Public(m.id)
	if err != nil {
		return
	}
	if p, err := decodePublic(data); err == nil && p.SignedOut != nil {
		return
	}
	// Under the lock, or a sign-in that is just being stored would be hidden.
	release, ok, err := m.store.TryLock(m.id)
	if err != nil || !ok {
		return
	}
	defer release()
	if rec, err := m.load(ctx); rec != nil || err != nil {
		return
	}
	p := m.last(nil, signedOut{At: m.now().UTC(), Cause: CauseMissing})
	_ = m.store.SavePublic(m.id, encodePublic(p))
}

// CauseMissing says that the session's file or key was removed by something
// else than oidc-cred.
const CauseMissing offline.Cause = "missing"
