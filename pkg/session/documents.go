package session

import (
	"context"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// The kinds of cached documents.
const (
	documentMetadata = "discovery"
	documentKeys     = "keys"
)

// metadataAge is how long a discovery document is used without a new look.
const metadataAge = 24 * time.Hour

// discover fetches the discovery document and caches it.
func (m *Manager) discover(ctx context.Context) (*oidcflow.Metadata, error) {
	md, err := m.flow.Discover(ctx)
	if err != nil {
		return nil, err
	}
	// A cache that can't be written costs a request the next time, no more.
	_ = m.documents.Put(m.flow.Issuer, documentMetadata, md.Raw, m.now())
	return md, nil
}

// cachedMetadata gives the cached discovery document, nil if there is none,
// and whether it is recent enough to be used without asking.
func (m *Manager) cachedMetadata() (md *oidcflow.Metadata, fresh bool) {
	raw, fetched, err := m.documents.Get(m.flow.Issuer, documentMetadata)
	if err != nil {
		return nil, false
	}
	if md, err = oidcflow.ParseMetadata(raw, m.flow.Issuer); err != nil {
		return nil, false
	}
	age := m.now().Sub(fetched)
	return md, age >= 0 && age < metadataAge
}

// keysError: the provider's keys can't be had, so that an ID token can be
// checked neither as good nor as bad.
type keysError struct{ err error }

func (e *keysError) Error() string { return "the provider's keys can't be had: " + e.err.Error() }
func (e *keysError) Unwrap() error { return e.err }

// verify checks an ID token with the cached keys, or, if its key is none of
// them, with newly fetched ones.
func (m *Manager) verify(ctx context.Context, md *oidcflow.Metadata, raw oidcflow.Secret, want oidcflow.Expect) (*oidcflow.IDClaims, error) {
	jwks, _, err := m.documents.Get(md.Issuer, documentKeys)
	if err == nil {
		claims, err := m.flow.VerifyIDToken(md, jwks, raw, want)
		if !oidcflow.NeedsFreshKeys(err) {
			return claims, err
		}
	}
	if jwks, err = m.flow.Keys(ctx, md); err != nil {
		return nil, &keysError{err}
	}
	claims, err := m.flow.VerifyIDToken(md, jwks, raw, want)
	if err == nil {
		_ = m.documents.Put(md.Issuer, documentKeys, jwks, m.now())
	}
	return claims, err
}
