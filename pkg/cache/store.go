package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The files of a session, all in one folder. The lock is never deleted: a
// process that waits for a deleted file's lock would hold it beside the one
// that made the file anew.
const (
	sessionsDir  = "sessions"
	sealedSuffix = ".sealed"
	publicSuffix = ".json"
	lockSuffix   = ".lock"
)

// Options are what a [Store] needs.
type Options struct {
	// Dir is the state folder. It must not be one that roams between machines.
	Dir string
	// Keychain holds the keys; nil for a store that only reads public copies
	// and takes locks.
	Keychain Keychain
	// Now is the clock by which leftovers are swept; nil is [time.Now].
	Now func() time.Time
}

// Store keeps sessions. It is safe for concurrent use, in one process and in
// many; who changes a session holds its lock ([Store.Lock]).
type Store struct {
	dir      string
	keychain Keychain
	now      func() time.Time

	mu   sync.Mutex
	keys map[string]sealKey
}

// New makes a store. It touches no file and no keychain.
func New(o Options) *Store {
	s := &Store{dir: filepath.Join(o.Dir, sessionsDir), keychain: o.Keychain, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Load reads a session: one file, and at the process's first call one read of
// the keychain. It needs no lock. [ErrNotFound] means signed out: there is no
// file, or no key for it. [ErrCorrupt] means that the file can't be opened
// with its key.
func (s *Store) Load(ctx context.Context, id string) ([]byte, error) {
	path, err := s.path(id, sealedSuffix)
	if err != nil {
		return nil, err
	}
	// A sign-out and a new sign-in may come between: then the file that was
	// opened is overwritten while it is read, or file and key are both there
	// but not of one session. Looking again tells that from damage.
	for range 3 {
		var payload []byte
		if payload, err = s.loadOnce(ctx, id, path); err == nil {
			return payload, nil
		}
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, errOtherKey) {
			break
		}
	}
	return nil, err
}

// errOtherKey: the key in the keychain is not the one of the file.
var errOtherKey = fmt.Errorf("its key: %w", ErrNotFound)

func (s *Store) loadOnce(ctx context.Context, id, path string) ([]byte, error) {
	return s.unseal(ctx, id, path, id)
}

// unseal opens a file that is sealed with the session's key for the name
// sealedAs.
func (s *Store) unseal(ctx context.Context, id, path, sealedAs string) ([]byte, error) {
	sealed, err := readLimited(path)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	keyID, err := sealedKeyID(sealed)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", path, err)
	}
	key, ok := s.cached(id)
	if !ok || key.id != keyID {
		if key, err = s.fetch(ctx, id); err != nil {
			return nil, err
		}
		s.remember(id, key)
	}
	if key.id != keyID {
		return nil, fmt.Errorf("read session %s: %w", path, errOtherKey)
	}
	payload, err := key.open(sealedAs, sealed)
	if err != nil {
		return nil, fmt.Errorf("read session %s: %w", path, err)
	}
	return payload, nil
}

// Create stores a session at sign-in, whatever was there before. It reuses the
// key in the keychain if there is one and makes one otherwise. public is a
// copy without secrets for [Store.Public]; nil leaves the former one.
func (s *Store) Create(ctx context.Context, id string, payload, public []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	key, err := s.fetch(ctx, id)
	var unusable *KeychainError
	if errors.Is(err, ErrNotFound) || errors.As(err, &unusable) && unusable.Problem == ProblemCorrupt {
		key, err = s.makeKey(ctx, id)
	}
	if err != nil {
		return err
	}
	s.remember(id, key)
	// What was beside a former session may be somebody else's. That it can't be
	// removed must not cost a sign-in: who keeps it there says whose it is.
	_ = s.removeBeside(id)
	return s.write(id, key, payload, public)
}

// makeKey puts a new key into the keychain. It is read back: a keychain that
// takes a key but does not give it out would lose the session only later.
func (s *Store) makeKey(ctx context.Context, id string) (sealKey, error) {
	key := newSealKey()
	if err := s.keychain.Set(ctx, id, key.encode()); err != nil {
		return sealKey{}, err
	}
	kept, err := s.keychain.Get(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return sealKey{}, err
	}
	if !bytes.Equal(kept, key.encode()) {
		return sealKey{}, &KeychainError{Backend: s.keychain.Name(), Op: "set", Problem: ProblemOther,
			Err: errors.New("the new key was taken but not kept")}
	}
	return key, nil
}

// Save replaces a session that [Store.Load] or [Store.Create] of this Store
// has seen. It does not touch the keychain, so it can't fail for its sake.
// [ErrNotFound]: there is no such session any more, or another one.
func (s *Store) Save(_ context.Context, id string, payload, public []byte) error {
	path, err := s.path(id, sealedSuffix)
	if err != nil {
		return err
	}
	key, ok := s.cached(id)
	if !ok {
		return fmt.Errorf("save session %s: its key: %w", id, ErrNotFound)
	}
	if err := replaceable(path, id, key); err != nil {
		return err
	}
	return s.write(id, key, payload, public)
}

// replaceable says whether the session's file is still there and sealed with
// the key: one that was removed meanwhile stays removed, and one that began
// meanwhile is not overwritten. A damaged file is replaced.
func replaceable(path, id string, key sealKey) error {
	former, err := readLimited(path)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("save session: %w", err)
	}
	if keyID, damaged := sealedKeyID(former); err == nil && damaged == nil && keyID != key.id {
		return fmt.Errorf("save session %s: another one has begun: %w", id, ErrNotFound)
	}
	return nil
}

func (s *Store) write(id string, key sealKey, payload, public []byte) error {
	sealed, err := key.seal(id, payload)
	if err != nil {
		return err
	}
	if err := ensureDir(s.dir); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	sweep(s.dir, s.now().Add(-leftoverAge))
	if err := WriteFileAtomic(filepath.Join(s.dir, id+sealedSuffix), sealed, 0o600); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	if public == nil {
		return nil
	}
	return s.SavePublic(id, public)
}

// Destroy signs out: the key goes first, then the sealed file, and the public
// copy is replaced by public (nil: removed). If the keychain can't be used the
// files go all the same and the [KeychainError] is returned.
func (s *Store) Destroy(ctx context.Context, id string, public []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	s.forget(id)
	err := s.keychain.Remove(ctx, id)
	err = both(err, shred(filepath.Join(s.dir, id+sealedSuffix)))
	err = both(err, s.removeBeside(id))
	if public != nil {
		return both(err, s.SavePublic(id, public))
	}
	removed := os.Remove(filepath.Join(s.dir, id+publicSuffix))
	if errors.Is(removed, fs.ErrNotExist) {
		removed = nil
	}
	return both(err, removed)
}

// both is like [errors.Join], on one line.
func both(a, b error) error {
	if a == nil || b == nil {
		return errors.Join(a, b)
	}
	return fmt.Errorf("%w; %w", a, b)
}

// SavePublic replaces the copy without secrets.
func (s *Store) SavePublic(id string, public []byte) error {
	path, err := s.path(id, publicSuffix)
	if err != nil {
		return err
	}
	if err := ensureDir(s.dir); err != nil {
		return fmt.Errorf("save public copy: %w", err)
	}
	if err := WriteFileAtomic(path, public, 0o600); err != nil {
		return fmt.Errorf("save public copy: %w", err)
	}
	return nil
}

// Public reads the copy without secrets: no lock, no keychain. It is not
// sealed, so nothing may be decided by it.
func (s *Store) Public(id string) ([]byte, error) {
	path, err := s.path(id, publicSuffix)
	if err != nil {
		return nil, err
	}
	public, err := readLimited(path)
	if err != nil {
		return nil, fmt.Errorf("read public copy: %w", err)
	}
	return public, nil
}

// IDs lists the sessions of which there is a sealed file or a public copy,
// sorted.
func (s *Store) IDs() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var ids []string
	for _, e := range entries {
		id, suffix, _ := strings.Cut(e.Name(), ".")
		if ("."+suffix == sealedSuffix || "."+suffix == publicSuffix) && checkID(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// fetch reads the session's key from the keychain.
func (s *Store) fetch(ctx context.Context, id string) (sealKey, error) {
	encoded, err := s.keychain.Get(ctx, id)
	if err != nil {
		return sealKey{}, err
	}
	key, err := decodeSealKey(encoded)
	if err != nil {
		return sealKey{}, &KeychainError{Backend: s.keychain.Name(), Op: "get", Problem: ProblemCorrupt, Err: err}
	}
	return key, nil
}

func (s *Store) cached(id string) (sealKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[id]
	return key, ok
}

func (s *Store) remember(id string, key sealKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]sealKey{}
	}
	s.keys[id] = key
}

func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
}

func (s *Store) path(id, suffix string) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, id+suffix), nil
}

// checkID keeps ids fit for file names and keychain items on every system:
// ^[a-z0-9-]{1,64}$.
func checkID(id string) error {
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("bad session id %q", id)
	}
	return nil
}
