package oidcflow

import (
	"context"
	"errors"
	"net/url"
	"time"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// defaultInterval between two questions, RFC 8628 §3.2.
	defaultInterval = 5 * time.Second
	// maxDeviceLifetime is for a code that states none, or a longer one.
	maxDeviceLifetime = time.Hour
)

// ErrDeviceCodeExpired: nobody signed in before the code expired.
var ErrDeviceCodeExpired = errors.New("the code expired before anyone signed in with it")

// ErrNoDeviceGrant: the provider has no device authorization endpoint.
var ErrNoDeviceGrant = errors.New("device sign-in: the provider has no device_authorization_endpoint")

// DevicePrompt is what a person needs, RFC 8628 §3.3. Its texts are fit to be
// shown.
type DevicePrompt struct {
	// URI at which the code is typed in.
	URI      string
	UserCode string
	// CompleteURI has the code in it; it may be "".
	CompleteURI string
	// Expiry of the code, or the end of the wait for it.
	Expiry time.Time
}

// DeviceOptions say how a person signs in on another device.
type DeviceOptions struct {
	// Prompt shows the code; its error ends the sign-in.
	Prompt func(DevicePrompt) error
	// Problem is told when the provider can't be reached, once until it can
	// be again; the sign-in goes on. It may be nil.
	Problem func(error)
	// Recovered is told when the provider answers again after that. It may be
	// nil.
	Recovered func()
	// Timeout ends the wait before the code expires, with
	// [ErrSignInTimeout]; 0 does not.
	Timeout time.Duration
	// Wait sleeps between two questions; nil is a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// DeviceSignIn lets a person sign in on another device, RFC 8628. While the
// network or the provider is down it goes on asking, until the code expires
// ([ErrDeviceCodeExpired]). The refusal of the person or the provider is an
// [AuthorizationError], that of this grant a [DeviceGrantError]. This grant has
// no nonce.
func (c *Client) DeviceSignIn(ctx context.Context, md *Metadata, o DeviceOptions) (*Tokens, error) {
	if o.Prompt == nil {
		return nil, errors.New("device sign-in: nothing shows the code")
	}
	c, err := c.forFlow(md)
	if err != nil {
		return nil, err
	}
	begun := c.now()
	code, err := c.authorizeDevice(ctx, md, begun)
	if err != nil {
		return nil, err
	}
	late := ErrDeviceCodeExpired
	if end := begun.Add(o.Timeout); o.Timeout > 0 && end.Before(code.prompt.Expiry) {
		code.prompt.Expiry, late = end, ErrSignInTimeout
	}
	if err := o.Prompt(code.prompt); err != nil {
		return nil, err
	}
	wait := o.Wait
	if wait == nil {
		wait = sleep
	}
	poll := &poller{interval: code.interval, problem: o.Problem, recovered: o.Recovered}
	for {
		left := max(code.prompt.Expiry.Sub(c.now()), 0)
		if err := wait(ctx, min(poll.next(), left)); err != nil {
			return nil, err
		}
		if !c.now().Before(code.prompt.Expiry) {
			return nil, late
		}
		tokens, err := abandon(ctx, func() (*Tokens, error) {
			return c.requestTokens(ctx, "device sign-in", md, url.Values{
				"grant_type": {deviceGrant}, "device_code": {code.device.Reveal()}, "resource": c.Resources,
			})
		})
		switch {
		case err == nil && c.openID() && tokens.ID.IsZero():
			return nil, &IDTokenError{"missing", "the provider sent none"}
		case err == nil:
			return tokens, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		if err := poll.failed(err); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
