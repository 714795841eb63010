package session_test

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestKept(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	ctx := t.Context()
	if got, err := w.manager().Kept().Load(ctx, "aws-1"); got != nil || err != nil {
		t.Errorf("before: %q, %v", got, err)
	}
	if err := w.manager().Kept().Save(ctx, "aws-1", []byte("kept\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := w.manager().Kept().Load(ctx, "aws-1"); string(got) != "kept\n" || err != nil {
		t.Errorf("loaded %q, %v", got, err)
	}
	w.keychain.broken(cache.ProblemLocked)
	if _, err := w.manager().Kept().Load(ctx, "aws-1"); session.KindOf(err) != session.StoreUnusable {
		t.Errorf("with a locked keychain: %v", err)
	}
	w.keychain.broken("")
	if err := w.manager().Kept().Remove(ctx, "aws-1"); err != nil {
		t.Error(err)
	}
	if got, err := w.manager().Kept().Load(ctx, "aws-1"); got != nil || err != nil {
		t.Errorf("after: %q, %v", got, err)
	}
}

func TestKeptEndsWithTheSession(t *testing.T) {
	ctx := t.Context()
	t.Run("sign-out", func(t *testing.T) {
		w := signedIn(t, oidctest.Settings{})
		if err := w.manager().Kept().Save(ctx, "aws-1", []byte("kept")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.manager().Logout(ctx, session.LogoutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.manager().Kept().Load(ctx, "aws-1"); got != nil || err != nil {
			t.Errorf("loaded %q, %v", got, err)
		}
		if err := w.manager().Kept().Save(ctx, "aws-1", []byte("kept")); session.KindOf(err) != session.SignInRequired {
			t.Errorf("saved: %v", err)
		}
	})
	t.Run("a process that began before another sign-in", func(t *testing.T) {
		w := signedIn(t, oidctest.Settings{})
		slow := w.manager()
		if err := slow.Kept().Save(ctx, "aws-1", []byte("kept")); err != nil {
			t.Fatal(err)
		}
		held, err := w.store().LoadBeside(ctx, slow.SessionID(), "aws-1")
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Add(1)
		w.login()
		// The key is the former one, so the file would open.
		store := w.store()
		if err := store.SaveBeside(ctx, slow.SessionID(), "aws-1", held); err != nil {
			t.Fatal(err)
		}
		if got, err := w.manager().Kept().Load(ctx, "aws-1"); got != nil || err != nil {
			t.Errorf("another sign-in's: %q, %v", got, err)
		}
	})
}

func TestKeptLock(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.timeout = 50e6 // nanoseconds
	ctx := t.Context()
	release, ok, err := w.manager().Kept().Lock(ctx, "aws-1", true)
	if !ok || err != nil {
		t.Fatalf("lock: %t, %v", ok, err)
	}
	for _, wait := range []bool{false, true} {
		if _, ok, err := w.manager().Kept().Lock(ctx, "aws-1", wait); ok || err != nil {
			t.Errorf("held, and taken (wait %t): %t, %v", wait, ok, err)
		}
	}
	release()
	if release, ok, err = w.manager().Kept().Lock(ctx, "aws-1", false); !ok || err != nil {
		t.Fatalf("lock: %t, %v", ok, err)
	}
	release()
}
