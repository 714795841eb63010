package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Beside a session there may be other secrets that came of it, each in a file
// of its own that is sealed with the session's key: without the session they
// are nothing, and they go with it.
const (
	besideSuffix     = ".beside"
	besideLockSuffix = ".beside-lock"
)

// LoadBeside reads what [Store.SaveBeside] was given. [ErrNotFound]: there is
// nothing of that name, or it was sealed for a session that has ended.
func (s *Store) LoadBeside(ctx context.Context, id, name string) ([]byte, error) {
	path, err := s.besidePath(id, name, besideSuffix)
	if err != nil {
		return nil, err
	}
	return s.unseal(ctx, id, path, besideID(id, name))
}

// SaveBeside keeps a secret for as long as the session lasts, in place of the
// former one of that name. [ErrNotFound]: there is no session any more, or
// another one.
func (s *Store) SaveBeside(ctx context.Context, id, name string, payload []byte) error {
	path, err := s.besidePath(id, name, besideSuffix)
	if err != nil {
		return err
	}
	key, ok := s.cached(id)
	if !ok {
		if key, err = s.fetch(ctx, id); err != nil {
			return err
		}
		s.remember(id, key)
	}
	session, err := s.path(id, sealedSuffix)
	if err != nil {
		return err
	}
	if err := replaceable(session, id, key); err != nil {
		return err
	}
	sealed, err := key.seal(besideID(id, name), payload)
	if err != nil {
		return err
	}
	sweep(s.dir, s.now().Add(-leftoverAge))
	if err := WriteFileAtomic(path, sealed, 0o600); err != nil {
		return fmt.Errorf("save beside session: %w", err)
	}
	return nil
}

// RemoveBeside forgets one secret; that there is none is no error.
func (s *Store) RemoveBeside(id, name string) error {
	path, err := s.besidePath(id, name, besideSuffix)
	if err != nil {
		return err
	}
	return shred(path)
}

// LockBeside takes the lock of one name, for asking for what is then kept, and
// waits for it until ctx is done as [Store.Lock] does.
func (s *Store) LockBeside(ctx context.Context, id, name string) (release func(), err error) {
	path, err := s.besidePath(id, name, besideLockSuffix)
	if err != nil {
		return nil, err
	}
	return s.lock(ctx, path, id)
}

// TryLockBeside takes the lock of one name if nobody holds it.
func (s *Store) TryLockBeside(id, name string) (release func(), ok bool, err error) {
	path, err := s.besidePath(id, name, besideLockSuffix)
	if err != nil {
		return nil, false, err
	}
	return s.tryLockNow(path, id)
}

// removeBeside forgets all that is beside a session, and their locks: two
// processes with "the" lock would ask twice for the same, which does no harm.
func (s *Store) removeBeside(id string) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var failed error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), id+".") {
			continue
		}
		path := filepath.Join(s.dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case besideSuffix:
			if err := shred(path); err != nil {
				failed = both(failed, err)
			}
		case besideLockSuffix:
			_ = os.Remove(path) // on Windows it may be in use
		}
	}
	return failed
}

func (s *Store) besidePath(id, name, suffix string) (string, error) {
	if checkID(name) != nil {
		return "", fmt.Errorf("bad name %q of what is beside a session", name)
	}
	return s.path(id, "."+name+suffix)
}

// besideID is what such a file is sealed for. No session's id has a slash.
func besideID(id, name string) string { return id + "/" + name }
