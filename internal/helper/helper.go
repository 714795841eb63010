// Package helper speaks the credential protocols of other tools. Each file is
// one protocol: a small codec between the tool and a [Source].
//
// Standard output carries the protocol and nothing else, and nothing at all
// when an error is returned. Nobody is asked anything unless [Target.SignIn]
// is given.
package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// Source gives out one profile's credential.
type Source interface {
	Token(ctx context.Context, req session.Request) (*session.Token, error)
	// MarkStale makes the next Token refresh, but only if the credential is
	// the cached token; it says whether it is.
	MarkStale(ctx context.Context, credential oidcflow.Secret) (bool, error)
}

// Target is a profile as the helpers use it.
type Target struct {
	Source  Source
	Profile string
	// Username to give beside the token, for protocols that need one; "" is
	// [DefaultUsername].
	Username string
	// Offline overrides the profile's policy for this call: --offline and
	// --no-offline. Nil leaves it.
	Offline *bool
	// ServeStale: kubectl gets an expired ID token while the provider is down,
	// though kube-apiserver refuses it.
	ServeStale bool
	// SignIn signs in when that is required. Nil: a helper of this profile
	// asks nobody.
	SignIn func(ctx context.Context) error
}

// DefaultUsername stands beside a token where a protocol wants a user name.
const DefaultUsername = "oauth2"

// Env is what a helper sees of its process.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Resolve gives the profile that the server is mapped to; nil, nil if none
	// is. See [Match].
	Resolve func(Server) (*Target, error)
	// Profile gives a profile by its name; "" is the default one.
	Profile func(name string) (*Target, error)
	// Warn shows the warnings of a token that was given out; nil shows none.
	Warn func([]offline.Warning)
}

func (e Env) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

func (e Env) getenv(name string) string {
	if e.Getenv == nil {
		return ""
	}
	return e.Getenv(name)
}

func (e Env) warn(tok *session.Token) {
	if e.Warn != nil && len(tok.Warnings) > 0 {
		e.Warn(tok.Warnings)
	}
}

// token asks the source, and once more after a sign-in where one is required,
// possible and allowed.
func (t *Target) token(ctx context.Context, req session.Request, maySignIn bool) (*session.Token, error) {
	req.Offline = t.Offline
	tok, err := t.Source.Token(ctx, req)
	if err != nil && session.KindOf(err) == session.SignInRequired && t.SignIn != nil && maySignIn {
		if err := t.SignIn(ctx); err != nil {
			return nil, fmt.Errorf("sign in: %w", err)
		}
		tok, err = t.Source.Token(ctx, req)
	}
	if err == nil && tok.Bound {
		return nil, BoundError(t.Profile)
	}
	return tok, err
}

// BoundError is why a token that is bound to a key (DPoP, RFC 9449 §7) is given
// to no tool: each request needs a proof made with the key, and the key stays
// with the session.
func BoundError(profile string) *UsageError {
	return &UsageError{
		Message: fmt.Sprintf("the access token of profile %s is bound to a key that does not leave oidc-cred (DPoP), so a server takes it from no other program", profile),
		Advice:  "use '--type id' where an ID token will do; else have DPoP-bound access tokens switched off for this client at the provider, set 'dpop: auto' or 'never' in the profile, and sign in again",
	}
}

// UsageError is a request or an environment that a helper can't serve.
type UsageError struct {
	Message string
	Advice  string
}

// Error implements error.
func (e *UsageError) Error() string { return e.Message }

// Hint says what to do; it may be empty.
func (e *UsageError) Hint() string { return e.Advice }

// hintOf finds the advice in an error's chain.
func hintOf(err error) string {
	var s *session.Error
	if errors.As(err, &s) {
		return s.Hint
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// line is the error and its hint as one line for stderr.
func line(err error) string {
	text := "oidc-cred: error: " + oidcflow.Clean(err.Error())
	if hint := hintOf(err); hint != "" {
		text += " (" + oidcflow.Clean(hint) + ")"
	}
	return text + "\n"
}
