package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxEndSessionURL is what every server takes: many stop at 8 KB.
const maxEndSessionURL = 8000

// ErrEndSessionTimeout: the browser never came, or did not come back.
var ErrEndSessionTimeout = errors.New("end of session: the browser did not get through within the time limit")

// EndSessionOptions say how the browser ends the provider's own session. One
// of Open and Notify is needed.
type EndSessionOptions struct {
	// IDToken tells the provider whose session it is; zero: it may ask.
	IDToken Secret
	// Redirect is the registered post_logout_redirect_uri, a loopback address
	// (port 0, or none: any free port); "" is none: the provider's own page is
	// then the last.
	Redirect string
	// Open opens the browser at an address of this machine; nil does not.
	// Without Notify, its error is the end.
	Open func(ctx context.Context, url string) error
	// Notify shows that address to a person. It is called once, before Open.
	Notify func(url string)
	// Timeout for the browser; 0 is [DefaultSignInTimeout].
	Timeout time.Duration
}

// EndSession ends the provider's own session in the browser, OpenID Connect
// RP-Initiated Logout 1.0 §2. A browser is started with its address as an
// argument, which everyone on the machine can read, and the provider's has the
// ID token in it. So the browser is sent to an address of this machine that is
// good once and leads on to the provider's.
//
// It returns when the browser has been sent on, or, with a Redirect, when it
// has come back (§3). The end of the time is [ErrEndSessionTimeout], a port that is
// taken a [ListenError], a provider without the endpoint [ErrNoEndSession].
func (c *Client) EndSession(ctx context.Context, md *Metadata, o EndSessionOptions) error {
	switch {
	case md.EndSessionEndpoint == "":
		return ErrNoEndSession
	case o.Open == nil && o.Notify == nil:
		return errors.New("end of session: the options have no way to the browser")
	}
	where, err := parseRedirect(o.Redirect)
	if err != nil {
		return fmt.Errorf("post_logout_redirect: %w", err)
	}
	sockets, where, err := where.listen(ctx)
	var taken *ListenError
	if errors.As(err, &taken) {
		taken.Setting = "post_logout_redirect"
	}
	if err != nil {
		return err
	}
	p := &endPage{where: where, start: "/" + randomText(), provider: hostOf(md.Issuer), mayKnow: peerMayKnow, done: make(chan struct{})}
	var back string
	if o.Redirect != "" {
		back, p.state = where.uri(), randomText()
	}
	if p.target, err = c.endSessionTarget(md, o.IDToken, back, p.state); err != nil {
		for _, s := range sockets {
			_ = s.Close()
		}
		return err
	}
	server := loopbackServer(p)
	for _, s := range sockets {
		go func() { _ = server.Serve(s) }()
	}
	defer func() { _ = server.Close() }()
	return o.wait(ctx, "http://"+where.authority()+p.start, p.done)
}

// endSessionTarget leaves the ID token out where it would be too much, or where
// nobody can tell who fetches it: the provider then asks the person.
func (c *Client) endSessionTarget(md *Metadata, idToken Secret, back, state string) (string, error) {
	if !peersAreKnown() {
		idToken = Secret{}
	}
	target, err := c.EndSessionURL(md, idToken, back, state)
	if err == nil && len(target) > maxEndSessionURL {
		target, err = c.EndSessionURL(md, Secret{}, back, state)
	}
	return target, err
}

// wait sends the browser off and waits until it has done its part.
func (o EndSessionOptions) wait(ctx context.Context, start string, done <-chan struct{}) error {
	limit := o.Timeout
	if limit <= 0 {
		limit = DefaultSignInTimeout
	}
	waiting, cancel := context.WithTimeoutCause(ctx, limit, ErrEndSessionTimeout)
	defer cancel()
	if o.Notify != nil {
		o.Notify(start)
	}
	opened := make(chan error, 1)
	if o.Open != nil {
		go func() { opened <- o.Open(ctx, start) }()
	}
	for {
		select {
		case <-done:
			return nil
		case err := <-opened:
			if err != nil && o.Notify == nil {
				return fmt.Errorf("the browser can't be opened: %w", err)
			}
		case <-waiting.Done():
			if errors.Is(context.Cause(waiting), ErrEndSessionTimeout) {
				return ErrEndSessionTimeout
			}
			return waiting.Err()
		}
	}
}
