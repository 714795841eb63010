package session

import (
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// TokenType says which of a session's tokens is meant.
type TokenType string

// The token types.
const (
	Access TokenType = "access"
	ID     TokenType = "id"
)

// Request is what one caller asks of [Manager.Token].
type Request struct {
	// Type of the token; "" is the access token.
	Type TokenType
	// MinValid: refresh if the token would live for less.
	MinValid time.Duration
	// ForceRefresh asks the provider, also inside the backoff.
	ForceRefresh bool
	// Refused: a resource server refused the token that was given out last, so
	// that it is to be refreshed as after [Manager.MarkStale]: for protocols
	// that don't say which token it was.
	Refused bool
	// Offline overrides the policy's Enabled for this call; nil leaves it.
	Offline *bool
}

// Token is a credential to give out.
type Token struct {
	Value oidcflow.Secret
	Type  TokenType
	// Bound: it is good only with a proof of possession of a key that stays
	// with the session (DPoP, RFC 9449), so no other program can use it.
	Bound bool
	// Expiry is zero where the provider stated none.
	Expiry time.Time
	// Expired: it is served past its expiry, by the offline policy.
	Expired bool
	// Offline: the provider could not be reached when the token was due, for
	// Reason.
	Offline bool
	Reason  offline.Reason
	// LastSync is when the provider itself last answered sensibly.
	LastSync time.Time

	Profile  string
	Issuer   string
	Subject  string
	Username string
	Scopes   []string
	Warnings []offline.Warning
}
