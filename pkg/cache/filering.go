package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/99designs/keyring"
)

const fileSuffix = ".key"

// fileRing keeps each item in a file of its own, sealed with a passphrase. The
// one of 99designs/keyring takes 2.3 ms to read whatever the passphrase, and
// writes in place.
type fileRing struct {
	dir        string
	passphrase func() (string, error)
	wrong      func()
}

// openFileRing asks for the passphrase once per process.
func openFileRing(o KeychainOptions) opener {
	var mu sync.Mutex
	var known string
	return func(c *call) (keyring.Keyring, error) {
		ask := func() (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if known != "" {
				return known, nil
			}
			if o.Passphrase == nil {
				return "", &KeychainError{Problem: ProblemPassphrase, Err: errorText("there is none")}
			}
			err := c.whilePerson(func(ctx context.Context) (err error) {
				known, err = o.Passphrase(ctx)
				return err
			})
			if err == nil && known == "" {
				err = errorText("it is empty")
			}
			if err != nil {
				known = ""
				return "", &KeychainError{Problem: ProblemPassphrase, Err: err}
			}
			return known, nil
		}
		wrong := func() {
			mu.Lock()
			defer mu.Unlock()
			known = ""
		}
		return &fileRing{dir: o.Dir, passphrase: ask, wrong: wrong}, nil
	}
}

// Get implements [keyring.Keyring].
func (r *fileRing) Get(name string) (keyring.Item, error) {
	path, err := r.path(name)
	if err != nil {
		return keyring.Item{}, err
	}
	raw, err := readLimited(path)
	if errors.Is(err, ErrCorrupt) {
		err = &KeychainError{Problem: ProblemCorrupt, Err: err}
	}
	if err != nil {
		return keyring.Item{}, err
	}
	f, err := parseKeyFile(raw)
	if err != nil {
		return keyring.Item{}, &KeychainError{Problem: ProblemCorrupt, Err: fmt.Errorf("%s: %w", path, err)}
	}
	passphrase, err := r.passphrase()
	if err != nil {
		return keyring.Item{}, err
	}
	data, err := f.open(passphrase, name)
	if err != nil {
		r.wrong()
		// A wrong passphrase and a damaged file can't be told apart.
		return keyring.Item{}, &KeychainError{Problem: ProblemPassphrase, Err: fmt.Errorf("%s can't be opened with it", path),
			hint: "give the passphrase of the sign-in; if it is lost, remove " + path + " and sign in again"}
	}
	return keyring.Item{Key: name, Data: data}, nil
}

// GetMetadata implements [keyring.Keyring].
func (r *fileRing) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

// Set implements [keyring.Keyring].
func (r *fileRing) Set(item keyring.Item) error {
	path, err := r.path(item.Key)
	if err != nil {
		return err
	}
	passphrase, err := r.passphrase()
	if err != nil {
		return err
	}
	raw, err := newKeyFile(passphrase).seal(passphrase, item.Key, item.Data)
	if err != nil {
		return err
	}
	if err := ensureDir(r.dir); err != nil {
		return err
	}
	if err := WriteFileAtomic(path, raw, 0o600); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil {
		sweep(r.dir, info.ModTime().Add(-leftoverAge))
	}
	return nil
}

// Remove implements [keyring.Keyring]. It needs no passphrase.
func (r *fileRing) Remove(name string) error {
	path, err := r.path(name)
	if err != nil {
		return err
	}
	return shred(path)
}

// Keys implements [keyring.Keyring].
func (r *fileRing) Keys() ([]string, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if file, ok := strings.CutSuffix(e.Name(), fileSuffix); ok {
			if name, err := unescapeName(file); err == nil {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

func (r *fileRing) path(name string) (string, error) {
	file := escapeName(name)
	if file == "" || len(file) > 200 {
		return "", fmt.Errorf("bad item name %q", name)
	}
	return filepath.Join(r.dir, file+fileSuffix), nil
}
