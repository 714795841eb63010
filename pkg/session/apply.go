package session

import (
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// apply takes a token answer over into the record, RFC 6749 §5.1 and §6: what
// the answer leaves out stays as it was. The ID token is not taken over here:
// it is checked first.
func (r *record) apply(t *oidcflow.Tokens) {
	r.Access = heldToken{Value: t.Access.Reveal(), Obtained: t.Obtained, Expiry: t.Expiry, Instead: r.Access.Stale}
	r.TokenType = t.TokenType
	if !t.DPoPKey.IsZero() {
		// Without one the former stays: a refresh token of a public client may
		// be bound to it even where the access token is not, RFC 9449 §5.
		r.DPoPKey = t.DPoPKey.Reveal()
	}
	if !t.Refresh.IsZero() {
		r.Refresh = t.Refresh.Reveal()
	}
	if !t.Refresh.IsZero() || !t.RefreshExpiry.IsZero() {
		r.announce(t.RefreshExpiry, t.Obtained)
	}
	if t.Scopes != nil {
		r.Scopes = t.Scopes
	}
}

// bound says whether the access token is bound to the key.
func (r *record) bound() bool { return strings.EqualFold(r.TokenType, "DPoP") }

// movesBy is how much later an announced end must be to count as another one:
// the same end, announced in whole seconds, comes out a little different.
const movesBy = time.Minute

// announce keeps the end of the sign-in. An end that every renewal moves is
// that of the refresh token; one that stays where it was is the session's, and
// is known since it was first heard of.
func (r *record) announce(end, at time.Time) {
	switch {
	case end.IsZero():
		r.RefreshSince = time.Time{}
	case r.RefreshExpiry.IsZero(), end.Sub(r.RefreshExpiry) > movesBy:
		r.RefreshSince = at
	}
	r.RefreshExpiry = end
}
