package cache

import (
	"context"
	"errors"
)

// Ready finds out, before a person is asked to sign in, whether the session
// that comes of it can be stored: the keychain is asked for the session's key.
// That there is none, or a damaged one, is no hindrance to [Store.Create].
func (s *Store) Ready(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	_, err := s.fetch(ctx, id)
	var unusable *KeychainError
	if errors.Is(err, ErrNotFound) || errors.As(err, &unusable) && unusable.Problem == ProblemCorrupt {
		return nil
	}
	return err
}
