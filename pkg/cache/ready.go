package cache

import (
	"context"
	"errors"
)

// Ready finds out, before a person is asked to sign in, whether the session
// that comes of it can be stored: the keychain is asked for the session's key,
// and if there is none, or a damaged one, it is given another item to keep and
// to throw away. Only that finds a keychain that can be read and not written,
// or a passphrase that is missing.
func (s *Store) Ready(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	_, err := s.fetch(ctx, id)
	var unusable *KeychainError
	if errors.Is(err, ErrNotFound) || errors.As(err, &unusable) && unusable.Problem == ProblemCorrupt {
		return s.tryKeychain(ctx, id)
	}
	return err
}

// trialSuffix names the item that is only there for a moment.
const trialSuffix = "-trial"

func (s *Store) tryKeychain(ctx context.Context, id string) error {
	trial := id + trialSuffix
	if err := s.keychain.Set(ctx, trial, newSealKey().encode()); err != nil {
		return err
	}
	return s.keychain.Remove(ctx, trial)
}
