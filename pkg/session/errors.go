package session

import (
	"errors"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// Kind says what a caller can do about an [Error].
type Kind int

// The kinds. The command line gives each an exit code of its own.
const (
	// SignInRequired: there is no session, or it was removed.
	SignInRequired Kind = iota + 1
	// Unreachable: the provider can't be reached and the policy allows no
	// cached token. The session is kept.
	Unreachable
	// StoreUnusable: the credential store can't be used.
	StoreUnusable
)

// Error is why there is no credential.
type Error struct {
	Kind    Kind
	Profile string
	// Cause is the decision's reason, where a decision was taken.
	Cause offline.Cause
	// Message says what happened, to what.
	Message string
	// Hint says what to do next; it may be empty.
	Hint string
	// Warnings are those that go with the refusal.
	Warnings []offline.Warning
	// Err is the failure behind it, if any.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the failure behind it.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of the first [Error] in err's chain, or 0.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// wrongType is that the provider gave an access token that nobody here knows
// how to show to a server. It is neither an outage nor a "no".
func (m *Manager) wrongType(err error) error {
	return &Error{Profile: m.profile, Message: "profile " + m.profile + ": " + err.Error(), Hint: hintIn(err), Err: err}
}
