//go:build !windows

package cache

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestPass(t *testing.T) {
	env := passStore(t, "")
	testKeychain(t, func(t *testing.T) Keychain {
		return mustOpen(t, KeychainOptions{Backend: Pass, Getenv: env})
	})
}

// passStore makes a key with the passphrase and a store for it.
func passStore(t *testing.T, phrase string) (getenv func(string) string) {
	t.Helper()
	pass, gpg, gpgconf := testenv.Program(t, "pass"), testenv.Program(t, "gpg"), testenv.Program(t, "gpgconf")
	// Not t.TempDir(): the agent's socket needs a short path.
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	// A key that is not here is not to be looked for elsewhere.
	if err := os.WriteFile(filepath.Join(home, "gpg.conf"), []byte("no-auto-key-locate\ndisable-dirmngr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() {
		cmd := exec.Command(gpgconf, "--kill", "all")
		cmd.Env = append(os.Environ(), "GNUPGHOME="+home)
		_ = cmd.Run()
		_ = os.RemoveAll(home)
	})
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "PASSWORD_STORE_DIR="+store)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", program, err, out)
		}
	}
	run(gpg, "--batch", "--pinentry-mode=loopback", "--passphrase", phrase, "--quick-generate-key", "oidc-cred test", "future-default", "default", "never")
	run(pass, "init", "oidc-cred test")
	// The agent knows the passphrase from making the key.
	run(gpgconf, "--kill", "gpg-agent")
	return func(name string) string {
		if name == "PASSWORD_STORE_DIR" {
			return store
		}
		return os.Getenv(name)
	}
}

// TestPassProblems: a key whose passphrase gpg would have to ask for fails at
// once, without a prompt, where nobody is to be asked.
func TestPassProblems(t *testing.T) {
	ctx := context.Background()
	env := passStore(t, "a passphrase")
	k := mustOpen(t, KeychainOptions{Backend: Pass, Getenv: env})
	if err := k.Set(ctx, "key", []byte("secret")); err != nil {
		t.Fatal(err) // encrypting needs no passphrase
	}
	_, err := k.Get(ctx, "key")
	wantKeychainError(t, err, Pass, ProblemLocked)
	if _, set := os.LookupEnv("PASSWORD_STORE_GPG_OPTS"); set {
		t.Error("the environment was left changed")
	}

	bare := t.TempDir()
	k = mustOpen(t, KeychainOptions{Backend: Pass, Getenv: func(string) string { return bare }})
	wantKeychainError(t, k.Set(ctx, "key", []byte("secret")), Pass, ProblemMissing)
	if _, err := k.Get(ctx, "key"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	t.Setenv("PATH", bare)
	_, err = k.Get(ctx, "key")
	wantKeychainError(t, err, Pass, ProblemMissing)
}
