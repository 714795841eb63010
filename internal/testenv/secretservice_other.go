//go:build !linux

package testenv

import "testing"

// Bus is a private session bus; here there is none.
type Bus struct{ Address, Home, RuntimeDir string }

// Env are no variables here.
func (*Bus) Env() []string { return nil }

// Secrets is a Secret Service; here there is none.
type Secrets struct{ Bus }

// SessionBus skips the test: there is no D-Bus session on this system.
func SessionBus(t testing.TB) *Bus {
	t.Skip("D-Bus is tested on Linux only")
	return nil
}

// SecretService skips the test: there is no Secret Service on this system.
func SecretService(t testing.TB) *Secrets {
	t.Skip("the Secret Service is tested on Linux only")
	return nil
}

// Lock does nothing here.
func (*Secrets) Lock(testing.TB) {}

// Suspend does nothing here.
func (*Secrets) Suspend(testing.TB) {}

// Resume does nothing here.
func (*Secrets) Resume(testing.TB) {}

// Quit does nothing here.
func (*Secrets) Quit(testing.TB) {}
