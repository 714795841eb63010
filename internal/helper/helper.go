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
	"net/http"
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
	// ServeStale: an expired token is given out while the provider is down, also
	// where the tool's server is known to take none.
	ServeStale bool
	// SignIn signs in when that is required. Nil: a helper of this profile
	// asks nobody.
	SignIn func(ctx context.Context) error
	// Setting gives a text of the profile by its key; nil has none.
	Setting func(key string) string
	// HTTP makes an HTTP client, for the protocols that trade the token for
	// something else: the profile's, but for the certificate that it shows to
	// its provider. A caFile takes the place of the profile's ca_file.
	HTTP func(caFile string) (*http.Client, error)
	// Timeout bounds one request with it; 0 is ten seconds.
	Timeout time.Duration
	// Notes is a folder for what may be lost, see [Target.noteRefusal]; "" is
	// none.
	Notes string
	// Keep keeps what such a trade brought, sealed; nil keeps nothing.
	Keep Keeper
}

// Keeper keeps secrets beside a profile's session and forgets them with it.
type Keeper interface {
	// Load gives what Save was given; nil, nil if there is nothing.
	Load(ctx context.Context, name string) ([]byte, error)
	Save(ctx context.Context, name string, data []byte) error
	// Remove is no error where there is nothing.
	Remove(ctx context.Context, name string) error
	// Lock is for asking for what is then kept. ok is false if another process
	// holds it: at once, or with wait after a while.
	Lock(ctx context.Context, name string, wait bool) (release func(), ok bool, err error)
}

// Mapping is a profile with the hosts that get its token, as they stand in the
// configuration.
type Mapping struct {
	Profile  string
	Username string
	Hosts    []string
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
	// Mapped gives the profiles that have hosts, without touching a session:
	// for protocols that list what they serve.
	Mapped func() ([]Mapping, error)
	// Warn shows the warnings of a token that was given out; nil shows none.
	Warn func([]offline.Warning)
}

// target is the profile that the server is mapped to, or nil. A mapped host
// over plain http is refused, where it is not on this machine.
func (e Env) target(server Server) (*Target, error) {
	if server.Scheme != "https" && server.Scheme != "http" || server.Host == "" {
		return nil, nil
	}
	target, err := e.Resolve(server)
	if err != nil || target == nil {
		return nil, err
	}
	if server.Scheme == "http" && !server.loopback() {
		return nil, &UsageError{
			Message: fmt.Sprintf("%s is reached over plain http, where anyone on the way could read the token", server.Host),
			Advice:  "use its https:// URL",
		}
	}
	return target, nil
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

func (t *Target) setting(key string) string {
	if t.Setting == nil {
		return ""
	}
	return t.Setting(key)
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

// Answered is the error of a helper whose protocol wants errors on stdout, and
// that has written one there: the program ends with the code and says no more.
type Answered struct{ Code int }

// Error implements error.
func (Answered) Error() string { return "the error was answered in the protocol" }

// refuseExpired is why a token that offline mode would serve is not given to a
// tool whose server takes no expired one: that server would only answer that it
// is unauthorised, which says less. server is its name in the message.
func refuseExpired(tok *session.Token, now time.Time, server string) error {
	ago := ""
	if d := now.Sub(tok.Expiry); d > 0 {
		ago = " " + offline.Short(d) + " ago"
	}
	reason := tok.Reason
	if reason == offline.ReasonNone {
		reason = offline.ReasonTokenRefreshFailed
	}
	return &session.Error{
		Kind:    session.Unreachable,
		Profile: tok.Profile,
		Message: fmt.Sprintf("the token expired%s and can't be renewed now (%s); %s accepts no expired token", ago, reason.Text(), server),
		Hint:    "try again when the provider is back, or add --offline to the helper's arguments to send the expired token all the same",
	}
}

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
