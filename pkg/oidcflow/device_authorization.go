package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// DeviceGrantError says that the provider does not let this client sign in on
// another device: a browser may still do.
type DeviceGrantError struct {
	// Code is the provider's error, such as unauthorized_client; "" where
	// there is nothing at its device_authorization_endpoint.
	Code string
	Err  error
}

// Error implements error.
func (e *DeviceGrantError) Error() string { return e.Err.Error() }

// Unwrap gives the answer.
func (e *DeviceGrantError) Unwrap() error { return e.Err }

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
	form, err := c.deviceForm()
	if err != nil {
		return nil, err
	}
	a, err := abandon(ctx, func() (*answer, error) {
		return c.post(ctx, operation, md, c.endpoint(md, "device_authorization_endpoint", md.DeviceAuthorizationEndpoint), form, md.TokenEndpointAuthMethods)
	})
	if err != nil {
		return nil, err
	}
	code, err := a.deviceCode(operation, now)
	return code, refusedGrant(err)
}

// deviceForm is the device authorization request. RFC 8628 §3.1 leaves room for
// more than its own parameters, and providers that don't know one ignore it.
func (c *Client) deviceForm() (url.Values, error) {
	form := url.Values{}
	for name, value := range c.AuthParams {
		switch err := CheckAuthParam(name, value); {
		case err != nil:
			return nil, fmt.Errorf("device sign-in: auth_params: %s: %w", Clean(name), err)
		case name == "response_mode", name == "prompt", name == "display":
			// They are about the browser that asks, and here none does.
		default:
			form.Set(name, value)
		}
	}
	form.Set("client_id", c.ClientID)
	if len(c.Resources) > 0 {
		form["resource"] = c.Resources // RFC 8707 §2
	}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	return form, nil
}

// refusedGrant tells a "no" to the grant itself from all other failures at the
// device authorization endpoint, RFC 8628 §3.2 and RFC 6749 §5.2.
func refusedGrant(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return err
	}
	status := answer.Response.StatusCode
	switch answer.ErrorCode {
	case "unauthorized_client", "invalid_client", "unsupported_grant_type",
		"device_flow_disabled": // GitHub's word
		return &DeviceGrantError{Code: answer.ErrorCode, Err: err}
	case "":
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented {
			return &DeviceGrantError{Err: err}
		}
	}
	return err
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
	if o.text("error") != "" { // some servers send errors with 200
		return nil, a.failure(operation)
	}
	// The addresses are shown and opened, and this one is typed in.
	_, unfit := checkEndpoint(uri)
	faulty := func(field, problem string) (*deviceCode, error) {
		return nil, &FaultyAnswerError{operation, field, problem}
	}
	switch {
	case d.device.IsZero():
		return faulty("device_code", "is missing")
	case d.prompt.UserCode == "":
		return faulty("user_code", "is missing")
	case uri == "":
		return faulty("verification_uri", "is missing")
	case unfit != nil:
		return faulty("verification_uri", fmt.Sprintf("%q %s", Clean(uri), unfit))
	case len(uri) > maxText:
		return faulty("verification_uri", "is too long to be typed in")
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
