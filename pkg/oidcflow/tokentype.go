package oidcflow

import (
	"fmt"
	"strings"
)

// TokenTypeError is an access token of a type that this package does not
// understand. RFC 6749 §7.1: "The client MUST NOT use an access token if it
// does not understand the token type."
type TokenTypeError struct {
	// Type as the provider wrote it, fit to be shown.
	Type string
}

// Error implements error.
func (e *TokenTypeError) Error() string {
	return fmt.Sprintf("the provider's access token is of the type %q, which is neither Bearer nor DPoP, so nobody here knows how it is shown to a server", e.Type)
}

// Hint says what to do.
func (e *TokenTypeError) Hint() string {
	return "have the provider give this client bearer tokens (RFC 6750)"
}

// CheckTokenType says whether an access token of the type may be given out.
// Types are compared without regard to case, RFC 6749 §5.1. exchanged: it is
// what a token exchange issued, which need be no access token (N_A, RFC 8693
// §2.2.1).
func CheckTokenType(name string, exchanged bool) error {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "bearer", "dpop":
		return nil
	case "bearertoken":
		return nil // Apigee's name for it, in every answer of its OAuthV2 policy
	case "n_a":
		if exchanged {
			return nil
		}
	}
	return &TokenTypeError{Type: Clean(name)}
}

// NotBoundError says that the provider has not bound the tokens to the key,
// though the configuration wants all of them to be.
type NotBoundError struct {
	operation string
	// Type of the access token as the provider wrote it, fit to be shown.
	Type string
}

// Error implements error.
func (e *NotBoundError) Error() string {
	return fmt.Sprintf("%s: the provider has not bound the tokens to the key (token_type %q), although dpop is always", e.operation, e.Type)
}

// Configuration says that it is a matter of the configuration: the provider
// can be reached, and has answered.
func (e *NotBoundError) Configuration() bool { return true }

// Hint says what to do.
func (e *NotBoundError) Hint() string {
	return "set dpop to auto if the tokens may be of use to whoever gets hold of them"
}
