// Package workload finds the token that a program without a person begins
// with: what the platform that it runs on says about it. It is the assertion of
// RFC 7523 §2.1 or the subject token of RFC 8693 §2.1.
//
// An error is either a [LocalError], of this machine, or one of the transport
// or an answer of the platform's own server, wrapped so that its cause can be
// told. None is ever the provider's "no".
package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// Source gives the token. It is asked at each use: platforms renew theirs
// behind one's back.
type Source func(context.Context) (oidcflow.Secret, error)

// LocalError is a failure of this machine: something is not set, not there or
// not readable.
type LocalError struct {
	// Message says what is wrong with what.
	Message string
	// Advice says what to do; it may be empty.
	Advice string
	// Err is the failure behind it, if any; Message has its text already.
	Err error
}

// Error implements error.
func (e *LocalError) Error() string { return e.Message }

// Hint says what to do; it may be empty.
func (e *LocalError) Hint() string { return e.Advice }

// Unwrap gives the failure behind it.
func (e *LocalError) Unwrap() error { return e.Err }

// Configuration says that the failure is this machine's and tells nothing
// about any server.
func (e *LocalError) Configuration() bool { return true }

// maxToken is far above every real token: those of platforms have one or two
// kilobytes.
const maxToken = 64 << 10

// parseToken takes a token from text that something else wrote. Space around
// it, such as the line's end, is no part of it.
//
// A token is visible ASCII, whatever its kind (RFC 6749 appendix A.12), and
// none has brackets or quotes: RFC 6750 §2.1 and RFC 7515 §7.1 allow far less,
// and a SAML assertion is base64url here (RFC 7522 §2.1). What is more is a
// wrong file: a key, a page, a JSON answer, an error message. It is never shown,
// since it may be a secret all the same.
func parseToken(data []byte) (oidcflow.Secret, error) {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return oidcflow.Secret{}, errors.New("there is nothing in it")
	case len(data) > maxToken:
		return oidcflow.Secret{}, fmt.Errorf("it is larger than %d bytes", maxToken)
	}
	for _, c := range data {
		if c <= ' ' || c > '~' || bytes.IndexByte([]byte(`<>{}"\`), c) >= 0 {
			return oidcflow.Secret{}, errors.New("it is no token: a token has no spaces, line breaks, brackets or quotes")
		}
	}
	return oidcflow.NewSecret(string(data)), nil
}
