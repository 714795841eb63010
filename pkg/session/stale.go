package session

import (
	"context"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// refusedAgain is how soon after a refusal the token that came of it may be
// refused without a refresh. A server that takes no token of the session at all
// would otherwise have the provider asked at every call.
const refusedAgain = time.Minute

// MarkStale notes that a resource server refused the credential, so that the
// next call refreshes it. It does nothing, and says false, if the credential
// is none of the session's tokens, or if it came in place of a refused one less
// than a minute ago: another one would not be taken either.
func (m *Manager) MarkStale(ctx context.Context, credential oidcflow.Secret) (bool, error) {
	return m.markStale(ctx, func(r *record) []*heldToken { return r.matching(credential) })
}

// markStale marks those of the tokens that are worth a refresh.
func (m *Manager) markStale(ctx context.Context, which func(*record) []*heldToken) (bool, error) {
	if rec, err := m.load(ctx); err != nil || rec == nil || len(m.worthRefresh(which(rec))) == 0 {
		return false, err
	}
	m.onWait()
	release, err := m.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	// Meanwhile it may have been renewed.
	rec, err := m.load(ctx)
	if err != nil || rec == nil {
		return false, err
	}
	stale := m.worthRefresh(which(rec))
	if len(stale) == 0 {
		return false, nil
	}
	for _, held := range stale {
		held.Stale = true
	}
	if err := m.save(ctx, rec); err != nil {
		return false, m.storeError(err)
	}
	return true, nil
}

// worthRefresh leaves out the tokens that another one would do no better than.
func (m *Manager) worthRefresh(refused []*heldToken) []*heldToken {
	var worth []*heldToken
	for _, held := range refused {
		// A clock that was set back must not put the next refresh off for long.
		age := m.now().Sub(held.Obtained).Abs()
		if held.Value != "" && (!held.Instead || age >= refusedAgain) {
			worth = append(worth, held)
		}
	}
	return worth
}

// matching are the record's tokens that are the credential.
func (r *record) matching(credential oidcflow.Secret) []*heldToken {
	var found []*heldToken
	for _, held := range []*heldToken{&r.Access, &r.ID} {
		if held.Value != "" && credential.Equal(oidcflow.NewSecret(held.Value)) {
			found = append(found, held)
		}
	}
	return found
}
