package session

import (
	"context"
	"errors"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// ErrDue says that the session would ask the provider before it gave out a
// token.
var ErrDue = errors.New("the token is due for renewal")

// Cached gives the token that [Manager.Token] would give out without asking the
// provider, and changes nothing: no network, no lock, no event. [ErrDue] means
// that Token would ask; any other error is why there would be no token without
// a sign-in or another store.
func (m *Manager) Cached(ctx context.Context, kind TokenType) (*Token, error) {
	silent := *m
	silent.onEvent = nil
	a := &attempt{m: &silent, kind: kind, policy: m.policy}
	if a.kind == "" {
		a.kind = Access
	}
	if err := a.read(ctx); err != nil {
		return nil, err
	}
	if a.rec != nil {
		a.first = *a.rec.held(a.kind)
	}
	switch _, act := a.decide(offline.Outcome{Stage: offline.Start}); act.Verb {
	case offline.Print:
		return a.give(act)
	case offline.Refresh, offline.Probe, offline.Begin:
		return nil, ErrDue
	case offline.SignOut: // not here: the next Token does
		act.Verb = offline.SignIn
		return nil, a.refuse(act, offline.Failure{})
	default:
		return nil, a.refuse(act, offline.Failure{})
	}
}
