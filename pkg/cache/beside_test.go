package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func besideFiles(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, sessionsDir, "*.beside*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestBeside(t *testing.T) {
	ctx := t.Context()
	s, ring, dir := newTestStore(t)
	if err := s.SaveBeside(ctx, testID, "aws-1", []byte("early")); !errors.Is(err, ErrNotFound) {
		t.Errorf("save without a session: %v", err)
	}
	if err := s.Create(ctx, testID, []byte("session"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadBeside(ctx, testID, "aws-1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("load before save: %v", err)
	}
	for _, content := range []string{"first SECRET", "second SECRET"} {
		if err := s.SaveBeside(ctx, testID, "aws-1", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveBeside(ctx, testID, "vault-1", []byte("other")); err != nil {
		t.Fatal(err)
	}
	// Another process has no key in its memory.
	other := New(Options{Dir: dir, Keychain: s.keychain})
	got, err := other.LoadBeside(ctx, testID, "aws-1")
	if err != nil || string(got) != "second SECRET" {
		t.Fatalf("loaded %q, %v", got, err)
	}
	for _, path := range besideFiles(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(data), "SECRET") {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	if ids, err := s.IDs(); err != nil || !slices.Equal(ids, []string{testID}) {
		t.Errorf("sessions %v, %v", ids, err)
	}
	if err := s.RemoveBeside(testID, "vault-1"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveBeside(testID, "vault-1"); err != nil {
		t.Errorf("removed again: %v", err)
	}
	if _, err := s.LoadBeside(ctx, testID, "vault-1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("load after removal: %v", err)
	}
	if len(ring.items) != 1 {
		t.Errorf("%d items in the keychain", len(ring.items))
	}
	for _, bad := range []string{"", "../x", "a.b", "A", strings.Repeat("a", 65)} {
		if err := s.SaveBeside(ctx, testID, bad, nil); err == nil {
			t.Errorf("the name %q is taken", bad)
		}
	}
}

// A file is good for its name and session alone, and for no other key.
func TestBesideIsBound(t *testing.T) {
	ctx := t.Context()
	s, _, dir := newTestStore(t)
	if err := s.Create(ctx, testID, []byte("session"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveBeside(ctx, testID, "aws-1", []byte("one")); err != nil {
		t.Fatal(err)
	}
	sessions := filepath.Join(dir, sessionsDir)
	copyTo := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(sessions, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sessions, to), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyTo(testID+".aws-1.beside", testID+".aws-2.beside")
	if _, err := s.LoadBeside(ctx, testID, "aws-2"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under another name: %v", err)
	}
	copyTo(testID+".sealed", testID+".aws-3.beside")
	if _, err := s.LoadBeside(ctx, testID, "aws-3"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the session itself: %v", err)
	}
	copyTo(testID+".aws-1.beside", testID+".sealed")
	if _, err := s.Load(ctx, testID); !errors.Is(err, ErrCorrupt) {
		t.Errorf("as the session: %v", err)
	}
}

// Signing out and signing in both end what was there before.
func TestBesideGoesWithTheSession(t *testing.T) {
	ctx := t.Context()
	for _, end := range []string{"sign out", "sign in"} {
		t.Run(end, func(t *testing.T) {
			s, _, dir := newTestStore(t)
			if err := s.Create(ctx, testID, []byte("session"), nil); err != nil {
				t.Fatal(err)
			}
			if err := s.SaveBeside(ctx, testID, "aws-1", []byte("one")); err != nil {
				t.Fatal(err)
			}
			release, err := s.LockBeside(ctx, testID, "aws-1")
			if err != nil {
				t.Fatal(err)
			}
			release()
			if end == "sign out" {
				err = s.Destroy(ctx, testID, nil)
			} else {
				err = s.Create(ctx, testID, []byte("another's"), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if left := besideFiles(t, dir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if _, err := s.LoadBeside(ctx, testID, "aws-1"); !errors.Is(err, ErrNotFound) {
				t.Errorf("load afterwards: %v", err)
			}
		})
	}
	t.Run("another process saves after the sign-out", func(t *testing.T) {
		s, _, dir := newTestStore(t)
		if err := s.Create(ctx, testID, []byte("session"), nil); err != nil {
			t.Fatal(err)
		}
		other := New(Options{Dir: dir, Keychain: s.keychain})
		if _, err := other.Load(ctx, testID); err != nil {
			t.Fatal(err)
		}
		if err := s.Destroy(ctx, testID, nil); err != nil {
			t.Fatal(err)
		}
		if err := other.SaveBeside(ctx, testID, "aws-1", []byte("late")); !errors.Is(err, ErrNotFound) {
			t.Errorf("saved: %v", err)
		}
		if left := besideFiles(t, dir); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestLockBeside(t *testing.T) {
	s, _, _ := newTestStore(t)
	release, ok, err := s.TryLockBeside(testID, "aws-1")
	if err != nil || !ok {
		t.Fatalf("lock: %t, %v", ok, err)
	}
	if _, ok, err := s.TryLockBeside(testID, "aws-1"); ok || err != nil {
		t.Errorf("held, and taken: %t, %v", ok, err)
	}
	if free, ok, err := s.TryLockBeside(testID, "aws-2"); !ok || err != nil {
		t.Errorf("another name's: %t, %v", ok, err)
	} else {
		free()
	}
	limit, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.LockBeside(limit, testID, "aws-1"); !errors.Is(err, ErrLocked) {
		t.Errorf("waited: %v", err)
	}
	release()
	if release, err = s.LockBeside(t.Context(), testID, "aws-1"); err != nil {
		t.Fatal(err)
	}
	release()
}
