package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// Kept keeps what a session's token was traded for, such as a cloud's own
// credentials: sealed with the session's key, so that it ends with the session.
// It is for the sign-in that it was saved in: after another one it is gone.
type Kept struct{ m *Manager }

// Kept gives the session's.
func (m *Manager) Kept() Kept { return Kept{m} }

// Load gives what Save was given; nil if there is nothing, or no session.
// Something that can't be read is as good as nothing.
func (k Kept) Load(ctx context.Context, name string) ([]byte, error) {
	data, err := k.m.store.LoadBeside(ctx, k.m.id, name)
	switch {
	case errors.Is(err, cache.ErrNotFound), errors.Is(err, cache.ErrCorrupt):
		return nil, nil
	case err != nil:
		return nil, k.m.storeError(err)
	}
	rec, err := k.m.load(ctx)
	if err != nil || rec == nil {
		return nil, err
	}
	found, ok := strings.CutPrefix(string(data), signInMark(rec))
	if !ok {
		return nil, nil
	}
	return []byte(found), nil
}

// Save keeps data in place of what there is.
func (k Kept) Save(ctx context.Context, name string, data []byte) error {
	rec, err := k.m.load(ctx)
	if err != nil {
		return err
	}
	if rec == nil {
		return &Error{
			Kind: SignInRequired, Profile: k.m.profile, Message: "profile " + k.m.profile + " is not signed in",
			Hint: "run 'oidc-cred login --profile " + k.m.profile + "'",
		}
	}
	if err := k.m.store.SaveBeside(ctx, k.m.id, name, append([]byte(signInMark(rec)), data...)); err != nil {
		return k.m.storeError(err)
	}
	return nil
}

// Remove forgets what is kept under the name, if anything is.
func (k Kept) Remove(_ context.Context, name string) error {
	if err := k.m.store.RemoveBeside(k.m.id, name); err != nil {
		return k.m.storeError(err)
	}
	return nil
}

// Lock is for asking for what is then kept, so that one process does. ok is
// false if another one holds it: at once, or with wait after the timeout, by
// which the other one should have given up.
func (k Kept) Lock(ctx context.Context, name string, wait bool) (release func(), ok bool, err error) {
	if !wait {
		release, ok, err = k.m.store.TryLockBeside(k.m.id, name)
	} else {
		k.m.onWait()
		limit, cancel := context.WithTimeout(ctx, k.m.timeout)
		defer cancel()
		release, err = k.m.store.LockBeside(limit, k.m.id, name)
		ok = err == nil
		if errors.Is(err, cache.ErrLocked) {
			err = nil
		}
	}
	switch {
	case ctx.Err() != nil && !ok:
		return nil, false, ctx.Err()
	case err != nil:
		return nil, false, k.m.storeError(err)
	}
	return release, ok, nil
}

// signInMark is what one sign-in has and no other: a process that was slow may
// save what it got for the former user's token.
func signInMark(r *record) string {
	return fmt.Sprintf("%s %d:%s\n", r.LoginAt.UTC().Format(time.RFC3339Nano), len(r.Subject), r.Subject)
}
