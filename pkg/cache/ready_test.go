package cache

import (
	"errors"
	"testing"
)

func TestReady(t *testing.T) {
	s, ring, _ := newTestStore(t)
	ctx := t.Context()
	if err := s.Ready(ctx, testID); err != nil {
		t.Errorf("without a key: %v", err)
	}
	if err := s.Create(ctx, testID, []byte("payload"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(ctx, testID); err != nil {
		t.Errorf("with a key: %v", err)
	}
	ring.items[testID] = []byte("garbage")
	if err := s.Ready(ctx, testID); err != nil {
		t.Errorf("with a damaged key, which a sign-in replaces: %v", err)
	}
	ring.broken = &KeychainError{Problem: ProblemLocked}
	var unusable *KeychainError
	if err := s.Ready(ctx, testID); !errors.As(err, &unusable) || unusable.Problem != ProblemLocked {
		t.Errorf("locked: %v", err)
	}
	if err := s.Ready(ctx, "../x"); err == nil {
		t.Error("a bad id was taken")
	}
	if len(ring.items) != 1 {
		t.Errorf("the keychain holds %d items, expected the session's key alone", len(ring.items))
	}
}
