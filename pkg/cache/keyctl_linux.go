package cache

import (
	"runtime"

	"github.com/99designs/keyring"
)

// keyctlRing is the kernel's keyring of the user (keyrings(7)). Its keys are
// gone when the machine restarts.
//
// Two things differ from what the library does by itself. It may be that the
// user's keyring is not linked into the process's session keyring (systemd
// services, `keyctl session`, containers): the process does not "possess" the
// keys then, so each gets permissions for its owner. And setting these takes
// several calls on one session keyring, which belongs to a thread: the calls
// stay on one, and that one ends with the goroutine, since it is not unlocked.
type keyctlRing struct {
	keyring.Keyring
	prefix string
}

func openKeyctl(o KeychainOptions) opener {
	open := libraryRing(keyring.Config{
		AllowedBackends: []keyring.BackendType{keyring.KeyCtlBackend},
		KeyCtlScope:     "user",
		KeyCtlPerm:      keyring.GetPermissions(keyring.KEYCTL_PERM_ALL, keyring.KEYCTL_PERM_ALL, 0, 0),
	})
	return func(c *call) (keyring.Keyring, error) {
		runtime.LockOSThread()
		ring, err := open(c)
		if err != nil {
			return nil, err
		}
		return &keyctlRing{ring, o.Service + ":"}, nil
	}
}

// Get implements [keyring.Keyring].
func (r *keyctlRing) Get(name string) (keyring.Item, error) {
	return r.Keyring.Get(r.prefix + name)
}

// Set implements [keyring.Keyring].
func (r *keyctlRing) Set(item keyring.Item) error {
	item.Key = r.prefix + item.Key
	return r.Keyring.Set(item)
}

// Remove implements [keyring.Keyring]. The library takes every failure to find
// a key for its absence, so it is looked for first.
func (r *keyctlRing) Remove(name string) error {
	if _, err := r.Get(name); err != nil {
		return err
	}
	return r.Keyring.Remove(r.prefix + name)
}
