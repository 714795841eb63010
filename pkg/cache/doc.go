// Package cache keeps what a session needs between two runs: one sealed file
// per session in the state folder, the key of each in the operating system's
// keychain, a lock, and the provider's discovery documents and keys.
//
// A session's tokens are 3.5 to 8 KB, more than some keychains take, and
// change at every refresh, while keychains are slow and may ask a person. So
// the keychain holds only a random key, written at sign-in and read once per
// process, and the tokens are a file that is replaced atomically. Readers need
// no lock. Signing out destroys the key first: a file without its key is
// nothing.
//
// The package knows neither tokens nor policies: what it keeps are bytes.
package cache

import "errors"

var (
	// ErrNotFound: what was asked for is not there. For a session it means
	// signed out.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt: the session's file is there but can't be opened with its key.
	ErrCorrupt = errors.New("the file is damaged")
	// ErrLocked: another process held the session's lock for as long as the
	// caller could wait.
	ErrLocked = errors.New("another process is using the session")
)
