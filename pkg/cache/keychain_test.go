package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/99designs/keyring"
)

func TestOpenKeychain(t *testing.T) {
	if _, err := OpenKeychain(KeychainOptions{Backend: "vault"}); err == nil || !strings.Contains(err.Error(), "secret-service") {
		t.Errorf("unknown name: %v", err)
	}
	for _, name := range StoreNames() {
		k := mustOpen(t, KeychainOptions{Backend: name})
		if name != Auto && k.Name() != name {
			t.Errorf("%s is called %s", name, k.Name())
		}
	}
	foreign := WinCred
	if runtime.GOOS == "windows" {
		foreign = SecretService
	}
	_, err := mustOpen(t, KeychainOptions{Backend: foreign}).Get(context.Background(), "key")
	wantKeychainError(t, err, foreign, ProblemMissing)
}

func TestSystemKeychain(t *testing.T) {
	tests := []struct{ goos, desktop, kde, want string }{
		{"windows", "", "", WinCred},
		{"darwin", "KDE", "true", MacKeychain},
		{"linux", "", "", SecretService},
		{"linux", "GNOME", "", SecretService},
		{"linux", "ubuntu:GNOME", "", SecretService},
		{"linux", "KDE", "", KWallet},
		{"linux", "", "true", KWallet},
		{"linux", "X-Other:KDE", "", KWallet},
		{"linux", "XKDE", "", SecretService},
		{"freebsd", "", "", SecretService},
	}
	for _, test := range tests {
		env := map[string]string{"XDG_CURRENT_DESKTOP": test.desktop, "KDE_FULL_SESSION": test.kde}
		if got := systemKeychain(test.goos, func(name string) string { return env[name] }); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

func wantKeychainError(t *testing.T, err error, backend string, want Problem) {
	t.Helper()
	var failed *KeychainError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a KeychainError", err)
	}
	if failed.Backend != backend || failed.Problem != want || failed.Hint() == "" {
		t.Errorf("got %v (%s, %s, hint %q), want %s, %s", err, failed.Backend, failed.Problem, failed.Hint(), backend, want)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

func TestFileProblems(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	open := func(pass func(context.Context) (string, error)) Keychain {
		return mustOpen(t, KeychainOptions{Backend: File, Dir: dir, Passphrase: pass})
	}
	secret := []byte("the key")
	if err := open(passphrase("correct horse")).Set(ctx, "short", secret); err != nil {
		t.Fatal(err)
	}
	if err := open(passphrase(longPassphrase)).Set(ctx, "long", secret); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"short": "correct horse", "long": longPassphrase} {
		if got, err := open(passphrase(text)).Get(ctx, name); err != nil || string(got) != string(secret) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	failing := func(context.Context) (string, error) { return "", errors.New("no terminal") }
	for name, pass := range map[string]func(context.Context) (string, error){
		"none": nil, "empty": passphrase(""), "failing": failing, "wrong": passphrase("wrong"), "other": passphrase(longPassphrase + "x"),
	} {
		_, err := open(pass).Get(ctx, "short")
		wantKeychainError(t, err, File, ProblemPassphrase)
		_, err = open(pass).Get(ctx, "long")
		wantKeychainError(t, err, File, ProblemPassphrase)
		if pass == nil || name == "empty" || name == "failing" {
			wantKeychainError(t, open(pass).Set(ctx, "new", secret), File, ProblemPassphrase)
		}
		// What is not there needs no passphrase, nor does removing.
		if _, err := open(pass).Get(ctx, "missing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	damage := map[string]func([]byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"cut off":    func(b []byte) []byte { return b[:fileHeaderSize] },
		"foreign":    func(b []byte) []byte { return append([]byte("PK"), b...) },
		"version":    func(b []byte) []byte { b[len(fileMagic)] = 9; return b },
		"derivation": func(b []byte) []byte { b[len(fileMagic)+1] = 9; return b },
		"hours of work": func(b []byte) []byte {
			b[len(fileMagic)+1] = kdfPBKDF2
			binary.BigEndian.PutUint32(b[len(fileMagic)+2:], 1<<32-1)
			return b
		},
		"huge": func(b []byte) []byte { return make([]byte, maxFile+1) },
	}
	path := filepath.Join(dir, "long.key")
	whole, err := os.ReadFile(path) //nolint:gosec // a test's file
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range damage {
		if err := os.WriteFile(path, f([]byte(string(whole))), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open(passphrase(longPassphrase)).Get(ctx, "long")
		t.Run(name, func(t *testing.T) { wantKeychainError(t, err, File, ProblemCorrupt) })
	}
	// Under another name it does not open.
	if err := os.WriteFile(filepath.Join(dir, "moved.key"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(passphrase(longPassphrase)).Get(ctx, "moved")
	wantKeychainError(t, err, File, ProblemPassphrase)
	if err := open(nil).Remove(ctx, "moved"); err != nil {
		t.Error(err)
	}
}

// TestFilePassphraseOnce: one process asks once, as long as it is right, and a
// person may take longer than the keychain.
func TestFilePassphraseOnce(t *testing.T) {
	ctx := context.Background()
	asked := 0
	answer := longPassphrase
	k := mustOpen(t, KeychainOptions{Backend: File, Dir: t.TempDir(), Timeout: 300 * time.Millisecond,
		Passphrase: func(context.Context) (string, error) {
			if asked++; asked == 1 {
				time.Sleep(500 * time.Millisecond)
			}
			return answer, nil
		}})
	for range 3 {
		if err := k.Set(ctx, "key", []byte("secret")); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Get(ctx, "key"); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestLimit: a ring of a library that never returns costs the time limit, or
// less if the caller gives up.
func TestLimit(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	k := fakeKeychain(KeyCtl, blockedRing{Keyring: keyring.NewArrayKeyring(nil), block: block})
	k.limit = 20 * time.Millisecond
	_, err := k.Get(context.Background(), "key")
	wantKeychainError(t, err, KeyCtl, ProblemTimeout)
	wantKeychainError(t, k.Set(context.Background(), "key", nil), KeyCtl, ProblemTimeout)
	wantKeychainError(t, k.Remove(context.Background(), "key"), KeyCtl, ProblemTimeout)

	k.limit = time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = k.Get(ctx, "key")
	wantKeychainError(t, err, KeyCtl, ProblemTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

type blockedRing struct {
	keyring.Keyring
	block chan struct{}
}

func (r blockedRing) Get(string) (keyring.Item, error) {
	<-r.block
	return keyring.Item{}, nil
}
func (r blockedRing) Set(keyring.Item) error { <-r.block; return nil }
func (r blockedRing) Remove(string) error    { <-r.block; return nil }

func TestHints(t *testing.T) {
	for _, backend := range StoreNames()[1:] {
		for _, p := range []Problem{ProblemMissing, ProblemTimeout, ProblemDenied, ProblemPassphrase, ProblemCorrupt} {
			e := &KeychainError{Backend: backend, Op: "get", Problem: p, Err: errors.New("why")}
			if e.Hint() == "" || strings.HasSuffix(e.Hint(), ".") {
				t.Errorf("%s, %s: hint %q", backend, p, e.Hint())
			}
			if !strings.Contains(e.Error(), backend) || !strings.HasSuffix(e.Error(), ": why") {
				t.Errorf("%s", e.Error())
			}
		}
	}
	if hint := (&KeychainError{Backend: SecretService, Problem: ProblemLocked}).Hint(); hint == "" {
		t.Error("no hint for a locked keyring")
	}
}

func TestEscapeName(t *testing.T) {
	for name, want := range map[string]string{
		"abc-09": "abc-09", "": "", "A": "%41", "..": "%2e%2e", "a/b": "a%2fb", "ü": "%c3%bc", "%": "%25",
	} {
		if got := escapeName(name); got != want {
			t.Errorf("%q: got %q", name, got)
		}
		if back, err := unescapeName(want); err != nil || back != name {
			t.Errorf("%q: back %q, %v", name, back, err)
		}
	}
}
