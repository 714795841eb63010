//go:build !windows

package cache

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/99designs/keyring"
)

// passRing is pass, the password store over gpg (passwordstore.org).
type passRing struct {
	keyring.Keyring
	dir         string
	service     string
	interactive bool
}

func openPass(o KeychainOptions) opener {
	return func(c *call) (keyring.Keyring, error) {
		for _, tool := range []string{"pass", "gpg"} {
			if _, err := exec.LookPath(tool); err != nil {
				return nil, &KeychainError{Problem: ProblemMissing, Err: err}
			}
		}
		dir := o.Getenv("PASSWORD_STORE_DIR")
		if dir == "" {
			dir = filepath.Join(o.Getenv("HOME"), ".password-store")
		}
		ring, err := libraryRing(keyring.Config{
			AllowedBackends: []keyring.BackendType{keyring.PassBackend},
			PassDir:         dir,
			PassPrefix:      o.Service,
		})(c)
		if err != nil {
			return nil, err
		}
		return &passRing{ring, dir, o.Service, o.Interactive}, nil
	}
}

// Get implements [keyring.Keyring].
func (r *passRing) Get(name string) (keyring.Item, error) {
	defer r.withoutPrompt()()
	item, err := r.Keyring.Get(escapeName(name))
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		// gpg says why on stderr; by far most often it may not ask.
		err = &KeychainError{Problem: ProblemLocked, Err: errors.New("gpg can't decrypt the item"),
			hint: "run `pass show " + r.service + "/" + escapeName(name) + "` in a terminal, so that gpg asks for its key's passphrase"}
	} else if err != nil && !errors.Is(err, keyring.ErrKeyNotFound) {
		err = &KeychainError{Problem: ProblemCorrupt, Err: err}
	}
	return item, err
}

// Set implements [keyring.Keyring].
func (r *passRing) Set(item keyring.Item) error {
	if _, err := os.Stat(filepath.Join(r.dir, ".gpg-id")); err != nil {
		return &KeychainError{Problem: ProblemMissing, Err: err, hint: "run `pass init GPG-ID`"}
	}
	defer r.withoutPrompt()()
	item.Key = escapeName(item.Key)
	return r.Keyring.Set(item)
}

// Remove implements [keyring.Keyring].
func (r *passRing) Remove(name string) error {
	return r.Keyring.Remove(escapeName(name))
}

// passEnv is held while the environment, which the library hands on to pass,
// differs.
var passEnv sync.Mutex

// withoutPrompt keeps gpg from asking for a passphrase where nobody is to be
// asked; the return value undoes it.
func (r *passRing) withoutPrompt() func() {
	if r.interactive {
		return func() {}
	}
	const variable = "PASSWORD_STORE_GPG_OPTS"
	passEnv.Lock()
	former, set := os.LookupEnv(variable)
	_ = os.Setenv(variable, strings.TrimSpace(former+" --pinentry-mode=error"))
	return func() {
		if set {
			_ = os.Setenv(variable, former)
		} else {
			_ = os.Unsetenv(variable)
		}
		passEnv.Unlock()
	}
}
