package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
)

// A held lock is asked for again this often: at first so often that fifty
// processes that wait for one refresh are all done in moments, and after a
// while, when the holder evidently waits for something, more calmly.
const (
	lockPoll      = 10 * time.Millisecond
	lockPollLater = 50 * time.Millisecond
	lockEager     = 2 * time.Second
)

// Lock takes the session's lock, for changing it, and waits for it until ctx
// is done: [ErrLocked] if its deadline passed, ctx's own error if it was
// cancelled. The lock ends with the process that holds it, however it ends.
// Read the session again after taking it.
func (s *Store) Lock(ctx context.Context, id string) (release func(), err error) {
	path, err := s.path(id, lockSuffix)
	if err != nil {
		return nil, err
	}
	return s.lock(ctx, path, id)
}

func (s *Store) lock(ctx context.Context, path, id string) (release func(), err error) {
	lock := lockFile(path)
	eager, cancel := context.WithTimeout(ctx, lockEager)
	defer cancel()
	ok, err := s.tryLock(func() (bool, error) { return lock.TryLockContext(eager, lockPoll) })
	if !ok && ctx.Err() == nil && eager.Err() != nil {
		ok, err = lock.TryLockContext(ctx, lockPollLater)
	}
	switch {
	case ok:
		return func() { _ = lock.Unlock() }, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("lock session %s: %w", id, ErrLocked)
	default:
		return nil, fmt.Errorf("lock session %s: %w", id, err)
	}
}

// TryLock takes the session's lock if nobody holds it.
func (s *Store) TryLock(id string) (release func(), ok bool, err error) {
	path, err := s.path(id, lockSuffix)
	if err != nil {
		return nil, false, err
	}
	return s.tryLockNow(path, id)
}

func (s *Store) tryLockNow(path, id string) (release func(), ok bool, err error) {
	lock := lockFile(path)
	if ok, err = s.tryLock(lock.TryLock); err != nil {
		return nil, false, fmt.Errorf("lock session %s: %w", id, err)
	}
	if !ok {
		return nil, false, nil
	}
	return func() { _ = lock.Unlock() }, true, nil
}

func lockFile(path string) *flock.Flock {
	return flock.New(path, flock.SetPermissions(0o600))
}

// tryLock makes the folder if that is what is missing.
func (s *Store) tryLock(try func() (bool, error)) (bool, error) {
	ok, err := try()
	if !errors.Is(err, fs.ErrNotExist) {
		return ok, err
	}
	if err := ensureDir(s.dir); err != nil {
		return false, err
	}
	return try()
}
