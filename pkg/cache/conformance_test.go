package cache

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/keyring"
)

// testKeychain is what every keychain must pass.
func testKeychain(t *testing.T, open func(t *testing.T) Keychain) {
	ctx := context.Background()
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + n)
		}
		return b
	}
	set := func(t *testing.T, k Keychain, name string, want []byte) {
		t.Helper()
		if err := k.Set(ctx, name, want); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.Remove(ctx, name) })
		got, err := k.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
	}
	t.Run("missing", func(t *testing.T) {
		k := open(t)
		if _, err := k.Get(ctx, "never-set"); !errors.Is(err, ErrNotFound) {
			t.Errorf("get: %v", err)
		}
		if err := k.Remove(ctx, "never-set"); err != nil {
			t.Errorf("remove: %v", err)
		}
	})
	t.Run("sizes", func(t *testing.T) {
		k := open(t)
		set(t, k, "key", random(32))
		set(t, k, "large", random(2048))
	})
	t.Run("overwrite", func(t *testing.T) {
		k := open(t)
		set(t, k, "over", random(32))
		set(t, k, "over", random(41))
		set(t, k, "other", random(16))
		if got, err := k.Get(ctx, "over"); err != nil || !bytes.Equal(got, random(41)) {
			t.Errorf("got %x, %v", got, err)
		}
	})
	t.Run("names", func(t *testing.T) {
		k := open(t)
		names := []string{"a", "a b", "Upper", "upper", "ünïcode", "a/../b", "..", "-x", "q'\"$(x)", strings.Repeat("n", 64)}
		for i, name := range names {
			set(t, k, name, random(20+i))
		}
		for i, name := range names {
			if got, err := k.Get(ctx, name); err != nil || !bytes.Equal(got, random(20+i)) {
				t.Errorf("%q: got %x, %v", name, got, err)
			}
		}
	})
	t.Run("remove", func(t *testing.T) {
		k := open(t)
		set(t, k, "gone", random(32))
		set(t, k, "stays", random(33))
		for range 2 {
			if err := k.Remove(ctx, "gone"); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Get(ctx, "gone"); !errors.Is(err, ErrNotFound) {
				t.Errorf("get: %v", err)
			}
		}
		if _, err := k.Get(ctx, "stays"); err != nil {
			t.Errorf("the other item: %v", err)
		}
		set(t, k, "gone", random(34))
	})
	t.Run("another opening", func(t *testing.T) {
		set(t, open(t), "shared", random(32))
		if got, err := open(t).Get(ctx, "shared"); err != nil || !bytes.Equal(got, random(32)) {
			t.Errorf("got %x, %v", got, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		k := open(t)
		set(t, k, "kept", random(32))
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := k.Get(cancelled, "kept"); !errors.Is(err, context.Canceled) {
			t.Errorf("get: %v", err)
		}
		if err := k.Set(cancelled, "kept", random(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("set: %v", err)
		}
		if err := k.Remove(cancelled, "kept"); !errors.Is(err, context.Canceled) {
			t.Errorf("remove: %v", err)
		}
		if got, err := k.Get(ctx, "kept"); err != nil || !bytes.Equal(got, random(32)) {
			t.Errorf("afterwards: %x, %v", got, err)
		}
	})
	t.Run("session", func(t *testing.T) {
		s := New(Options{Dir: t.TempDir(), Keychain: open(t)})
		if err := s.Create(ctx, "session-1", random(8000), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		s = New(Options{Dir: filepath.Dir(s.dir), Keychain: open(t)})
		if got, err := s.Load(ctx, "session-1"); err != nil || !bytes.Equal(got, random(8000)) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		if err := s.Destroy(ctx, "session-1", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(ctx, "session-1"); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	})
}

func mustOpen(t testing.TB, o KeychainOptions) Keychain {
	t.Helper()
	k, err := OpenKeychain(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const longPassphrase = "0123456789abcdef0123456789abcdef"

func passphrase(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

func TestFileKeychain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	testKeychain(t, func(t *testing.T) Keychain {
		return mustOpen(t, KeychainOptions{Backend: File, Dir: dir, Passphrase: passphrase(longPassphrase)})
	})
}

// TestWinCredLimit holds that the keys fit into the Windows Credential
// Manager, whose items take 2,560 bytes, and that an item that does not fit is
// an error. It runs everywhere, on a stand-in.
func TestWinCredLimit(t *testing.T) {
	ring := keyring.NewArrayKeyring(nil)
	open := func(*testing.T) Keychain { return fakeKeychain(WinCred, &limitedRing{ring}) }
	testKeychain(t, open)
	err := open(t).Set(context.Background(), "tokens", make([]byte, 2561))
	var failed *KeychainError
	if !errors.As(err, &failed) || failed.Backend != WinCred || failed.Op != "set" || failed.Problem != ProblemOther {
		t.Errorf("%#v", err)
	}
}

// limitedRing is a stand-in for the Windows Credential Manager.
type limitedRing struct{ keyring.Keyring }

func (r *limitedRing) Set(item keyring.Item) error {
	if len(item.Data) > 2560 {
		return errorText("the stub received bad data")
	}
	item.Data = slices.Clone(item.Data)
	return r.Keyring.Set(item)
}

func (r *limitedRing) Remove(name string) error {
	if _, err := r.Get(name); err != nil {
		return err
	}
	return r.Keyring.Remove(name)
}

// fakeKeychain is a keychain over a ring in memory.
func fakeKeychain(name string, ring keyring.Keyring) *keychain {
	return &keychain{name: name, service: defaultService, limit: defaultLimit,
		open: func(*call) (keyring.Keyring, error) { return ring, nil }}
}
