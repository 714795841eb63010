package helper

import (
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// bearer is the value of an Authorization header with the token, RFC 6750 §2.1,
// for the tools that put into a request what they are given.
func bearer(tok *session.Token) (string, error) {
	value := tok.Value.Reveal()
	if value == "" || strings.ContainsFunc(value, notInHeader) {
		return "", &UsageError{Message: "the token has characters that an HTTP header can't carry"}
	}
	return "Bearer " + value, nil
}

func notInHeader(r rune) bool { return r <= ' ' || r >= 0x7f }
