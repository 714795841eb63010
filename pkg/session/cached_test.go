package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestCached: it tells what Token would do and does nothing.
func TestCached(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	tok := w.mustToken(session.Request{})
	w.eventTypes()
	w.provider.ResetCounts()
	defer w.lock()() // it is not waited for
	got, err := w.manager().Cached(context.Background(), "")
	if err != nil || !got.Value.Equal(tok.Value) {
		t.Fatalf("%v", err)
	}
	if id, err := w.manager().Cached(context.Background(), session.ID); err != nil || id.Type != session.ID {
		t.Errorf("%v", err)
	}
	w.clock.Add(2 * time.Hour)
	if _, err := w.manager().Cached(context.Background(), ""); !errors.Is(err, session.ErrDue) {
		t.Errorf("due: %v", err)
	}
	if n := w.provider.Count(oidctest.TokenEndpoint); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
	w.wantEvents()
}

func TestCachedWithoutSession(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	if err := w.store().Destroy(context.Background(), w.id(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := w.manager().Cached(context.Background(), session.Access)
	w.wantKind(err, session.SignInRequired)
}
