package session

import (
	"context"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// MarkStale notes that a resource server refused the credential, so that the
// next call refreshes it. It does nothing, and says false, if the credential
// is none of the session's tokens.
func (m *Manager) MarkStale(ctx context.Context, credential oidcflow.Secret) (bool, error) {
	if rec, err := m.load(ctx); err != nil || rec == nil || len(rec.matching(credential)) == 0 {
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
	stale := rec.matching(credential)
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
