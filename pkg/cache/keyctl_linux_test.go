package cache

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

const keyctlService = "oidc-cred-test"

func needKeyctl(t *testing.T) {
	t.Helper()
	if _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); err != nil {
		testenv.Need(t, "keyctl", "the kernel's keyring can't be used: "+err.Error())
	}
}

func TestKeyctl(t *testing.T) {
	needKeyctl(t)
	testKeychain(t, func(t *testing.T) Keychain {
		return mustOpen(t, KeychainOptions{Backend: KeyCtl, Service: keyctlService})
	})
}

// TestKeyctlProcesses: a key is there for another process, also for one whose
// session keyring does not lead to the user's, as in a systemd service, and
// for one without a session keyring.
func TestKeyctlProcesses(t *testing.T) {
	needKeyctl(t)
	keyctl := testenv.Program(t, "keyctl")
	ctx := context.Background()
	k := mustOpen(t, KeychainOptions{Backend: KeyCtl, Service: keyctlService})
	for name, test := range map[string]struct {
		session []string
		write   bool
	}{
		"plain":           {nil, false},
		"session":         {[]string{keyctl, "session", "-"}, false},
		"named session":   {[]string{keyctl, "session", "other"}, false},
		"session, writes": {[]string{keyctl, "session", "-"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := k.Set(ctx, "shared", []byte("from the parent")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = k.Remove(ctx, "shared") })
			cmd := child(t, "keyctl read", test.session...)
			if test.write {
				cmd = child(t, "keyctl write", test.session...)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !test.write {
				return
			}
			if got, err := k.Get(ctx, "shared"); err != nil || string(got) != "from the child" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func init() {
	children["keyctl read"] = func() error { return keyctlChild(false) }
	children["keyctl write"] = func() error { return keyctlChild(true) }
}

// keyctlChild is the other process.
func keyctlChild(write bool) error {
	ctx := context.Background()
	k, err := OpenKeychain(KeychainOptions{Backend: KeyCtl, Service: keyctlService})
	if err != nil {
		return err
	}
	if got, err := k.Get(ctx, "shared"); err != nil || string(got) != "from the parent" {
		return fmt.Errorf("got %q, %w", got, err)
	}
	if write {
		return k.Set(ctx, "shared", []byte("from the child"))
	}
	return nil
}
