//go:build !windows

package cache

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/99designs/keyring"
)

// passRing is pass, the password store over gpg (passwordstore.org). The one
// of 99designs/keyring lets gpg write to our standard error, can't be ended at
// a time limit, and takes its environment from the whole process.
type passRing struct {
	ctx         context.Context //nolint:containedctx // the one call that the ring is opened for
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
		return &passRing{c.ctx, dir, o.Service, o.Interactive}, nil
	}
}

// entry is the item's name in the password store.
func (r *passRing) entry(name string) string { return r.service + "/" + escapeName(name) }

// missing asks the folder, since pass says only in words what it lacks.
func (r *passRing) missing(name string) bool {
	_, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(r.entry(name))+".gpg"))
	return errors.Is(err, os.ErrNotExist)
}

// Get implements [keyring.Keyring].
func (r *passRing) Get(name string) (keyring.Item, error) {
	if r.missing(name) {
		return keyring.Item{}, keyring.ErrKeyNotFound
	}
	text, err := r.run(nil, "show", r.entry(name))
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		// gpg says why on stderr; by far most often it may not ask.
		return keyring.Item{}, &KeychainError{Problem: ProblemLocked, Err: errors.New("gpg can't decrypt the item"),
			hint: "run `pass show " + r.entry(name) + "` in a terminal, so that gpg asks for its key's passphrase"}
	}
	if err != nil {
		return keyring.Item{}, err
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return keyring.Item{}, &KeychainError{Problem: ProblemCorrupt, Err: err}
	}
	return keyring.Item{Key: name, Data: data}, nil
}

// GetMetadata implements [keyring.Keyring].
func (r *passRing) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

// Set implements [keyring.Keyring].
func (r *passRing) Set(item keyring.Item) error {
	if _, err := os.Stat(filepath.Join(r.dir, ".gpg-id")); err != nil {
		return &KeychainError{Problem: ProblemMissing, Err: err, hint: "run `pass init GPG-ID`"}
	}
	_, err := r.run([]byte(base64.StdEncoding.EncodeToString(item.Data)+"\n"), "insert", "--multiline", "--force", r.entry(item.Key))
	return err
}

// Remove implements [keyring.Keyring].
func (r *passRing) Remove(name string) error {
	if r.missing(name) {
		return keyring.ErrKeyNotFound
	}
	_, err := r.run(nil, "rm", "--force", r.entry(name))
	return err
}

// Keys implements [keyring.Keyring].
func (r *passRing) Keys() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(r.dir, r.service))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if file, ok := strings.CutSuffix(e.Name(), ".gpg"); ok {
			if name, err := unescapeName(file); err == nil {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// run runs pass. Where nobody is to be asked, gpg is told not to.
func (r *passRing) run(input []byte, args ...string) ([]byte, error) {
	c := exec.CommandContext(r.ctx, "pass", args...) //nolint:gosec // names are escaped, and no shell reads them
	c.Env = append(os.Environ(), "PASSWORD_STORE_DIR="+r.dir)
	if !r.interactive {
		c.Env = append(c.Env, strings.TrimSpace("PASSWORD_STORE_GPG_OPTS="+os.Getenv("PASSWORD_STORE_GPG_OPTS")+" --pinentry-mode=error"))
	}
	c.Stdin = bytes.NewReader(input)
	// gpg-agent, which gpg may start, can keep the pipes open.
	c.WaitDelay = 100 * time.Millisecond
	out, err := c.Output()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return out, err
}
