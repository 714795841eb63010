package oidcflow

import (
	"context"
	"errors"
	"net/url"
	"strings"
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
	Expiry      time.Time
}

// DeviceOptions say how a person signs in on another device.
type DeviceOptions struct {
	// Prompt shows the code; its error ends the sign-in.
	Prompt func(DevicePrompt) error
	// Problem is told when the provider can't be reached, once until it can
	// be again; the sign-in goes on. It may be nil.
	Problem func(error)
	// Wait sleeps between two questions; nil is a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// DeviceSignIn lets a person sign in on another device, RFC 8628. While the
// network or the provider is down it goes on asking, until the code expires
// ([ErrDeviceCodeExpired]). The refusal of the person or the provider is an
// [AuthorizationError]. This grant has no nonce.
func (c *Client) DeviceSignIn(ctx context.Context, md *Metadata, o DeviceOptions) (*Tokens, error) {
	if o.Prompt == nil {
		return nil, errors.New("device sign-in: nothing shows the code")
	}
	asked := c.now()
	code, err := c.authorizeDevice(ctx, md, asked)
	if err != nil {
		return nil, err
	}
	if err := o.Prompt(code.prompt); err != nil {
		return nil, err
	}
	wait := o.Wait
	if wait == nil {
		wait = sleep
	}
	poll := &poller{interval: code.interval, problem: o.Problem}
	for {
		if err := wait(ctx, poll.next()); err != nil {
			return nil, err
		}
		if !c.now().Before(code.prompt.Expiry) {
			return nil, ErrDeviceCodeExpired
		}
		tokens, err := c.requestTokens(ctx, "device sign-in", md, url.Values{
			"grant_type": {deviceGrant}, "device_code": {code.device.Reveal()}, "resource": c.Resources,
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

// deviceCode is a device authorization response, RFC 8628 §3.2.
type deviceCode struct {
	device   Secret
	prompt   DevicePrompt
	interval time.Duration
}

func (c *Client) authorizeDevice(ctx context.Context, md *Metadata, now time.Time) (*deviceCode, error) {
	const operation = "device authorization"
	if md.DeviceAuthorizationEndpoint == "" {
		return nil, ErrNoDeviceGrant
	}
	form := url.Values{"client_id": {c.ClientID}, "resource": c.Resources}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	a, err := c.post(ctx, operation, md.DeviceAuthorizationEndpoint, form, md.TokenEndpointAuthMethods)
	if err != nil {
		return nil, err
	}
	return a.deviceCode(operation, now)
}

func (a *answer) deviceCode(operation string, now time.Time) (*deviceCode, error) {
	o, err := a.object(operation)
	if err != nil {
		return nil, err
	}
	uri := o.text("verification_uri")
	if uri == "" {
		uri = o.text("verification_url") // as some wrote before the RFC
	}
	d := &deviceCode{device: NewSecret(o.text("device_code")), interval: lifetime(o["interval"])}
	d.prompt = DevicePrompt{URI: uri, UserCode: Clean(o.text("user_code")), CompleteURI: o.text("verification_uri_complete")}
	// The addresses are shown and opened.
	if _, err := checkEndpoint(uri); err != nil || d.device.IsZero() || d.prompt.UserCode == "" {
		return nil, a.failure(operation)
	}
	if _, err := checkEndpoint(d.prompt.CompleteURI); err != nil {
		d.prompt.CompleteURI = ""
	}
	if d.interval <= 0 {
		d.interval = defaultInterval
	}
	life := lifetime(o["expires_in"])
	if life <= 0 || life > maxDeviceLifetime {
		life = maxDeviceLifetime
	}
	d.prompt.Expiry = now.Add(life)
	return d, nil
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
