package cache

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/99designs/keyring"
)

// Keychain keeps small secrets by name. Every call ends within a time limit,
// whatever the daemon behind it does; what fails is a [KeychainError].
type Keychain interface {
	// Get gives the secret, or [ErrNotFound].
	Get(ctx context.Context, name string) ([]byte, error)
	// Set stores the secret, over a former one.
	Set(ctx context.Context, name string, secret []byte) error
	// Remove deletes the secret; a missing one is no error.
	Remove(ctx context.Context, name string) error
	// Name is the store's name as in the configuration.
	Name() string
}

// The names of the stores.
const (
	Auto          = "auto"
	SecretService = "secret-service"
	MacKeychain   = "keychain"
	WinCred       = "wincred"
	KWallet       = "kwallet"
	KeyCtl        = "keyctl"
	Pass          = "pass"
	File          = "file"
)

// StoreNames are the names that [KeychainOptions.Backend] can have.
func StoreNames() []string {
	return []string{Auto, SecretService, MacKeychain, WinCred, KWallet, KeyCtl, Pass, File}
}

// defaultService is the name under which items are filed.
const defaultService = "oidc-cred"

// KeychainOptions choose a keychain.
type KeychainOptions struct {
	// Backend is one of [StoreNames]; "" is [Auto], the system's own: never
	// one of the weaker ones, and never another than the one chosen.
	Backend string
	// Service is the name under which the items are filed; "" is oidc-cred.
	Service string
	// Dir is the folder of the file store.
	Dir string
	// Passphrase gives the file store's passphrase. It is asked only when
	// needed and once, and may wait for a person.
	Passphrase func(context.Context) (string, error)
	// Timeout bounds each call; 0 is 3 seconds.
	Timeout time.Duration
	// Interactive: a person is there. Then a locked keychain may ask for its
	// password, and waits for it for up to a minute.
	Interactive bool
	// Getenv reads the environment; nil is [os.Getenv].
	Getenv func(string) string
}

const (
	defaultLimit = 3 * time.Second
	personLimit  = time.Minute
)

// OpenKeychain chooses a keychain. It does nothing else: whether it can be
// used shows at the first call.
func OpenKeychain(o KeychainOptions) (Keychain, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Service == "" {
		o.Service = defaultService
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultLimit
	}
	name := o.Backend
	if name == "" || name == Auto {
		name = systemKeychain(runtime.GOOS, o.Getenv)
	}
	if !slices.Contains(StoreNames(), name) {
		return nil, fmt.Errorf("unknown credential store %q: expected one of %s", name, strings.Join(StoreNames(), ", "))
	}
	k := &keychain{name: name, limit: o.Timeout, service: o.Service, direct: name == File || name == KeyCtl}
	if name == File {
		k.open = openFileRing(o)
	} else if k.open = platformRing(name, o); k.open == nil {
		k.open = absentRing(name + " does not exist on this system")
	}
	if o.Interactive && (name == MacKeychain || name == Pass) {
		// These ask by themselves, so that a call can't be told from a wait
		// for a person.
		k.limit = max(k.limit, personLimit)
	}
	return k, nil
}

// systemKeychain is the store that Auto stands for.
func systemKeychain(goos string, getenv func(string) string) string {
	switch goos {
	case "windows":
		return WinCred
	case "darwin":
		return MacKeychain
	}
	// The variable lists desktops, separated by colons (freedesktop.org,
	// Desktop Entry Specification).
	desktops := strings.Split(strings.ToUpper(getenv("XDG_CURRENT_DESKTOP")), ":")
	if slices.Contains(desktops, "KDE") || getenv("KDE_FULL_SESSION") != "" {
		return KWallet
	}
	return SecretService
}

// absentRing is a store that this build or system does not have.
func absentRing(why string) opener {
	return func(*call) (keyring.Keyring, error) {
		return nil, &KeychainError{Problem: ProblemMissing, Err: errorText(why)}
	}
}

// libraryRing opens one backend of 99designs/keyring, and no other.
func libraryRing(config keyring.Config) opener {
	return func(*call) (keyring.Keyring, error) {
		ring, err := keyring.Open(config)
		if err != nil {
			return nil, &KeychainError{Problem: ProblemMissing, Err: err}
		}
		return ring, nil
	}
}
