package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

const (
	maxAnswer    = 1 << 20  // how much of an answer is read
	maxErrorBody = 64 << 10 // how much of a failed one is kept
	maxRedirects = 5
)

// answer is what a server said, read to its end.
type answer struct {
	*http.Response
	body     []byte
	tooLarge bool
	// redirected is the host that a redirect led to, "" if none led elsewhere.
	redirected string
	// secrets that were sent and must not come back in a text.
	secrets []string
	// hint for a person if the answer turns out to be a failure.
	hint string
}

// get asks with GET; token is the access token to show, if any.
func (c *Client) get(ctx context.Context, operation, endpoint, accept string, token Secret) (*answer, error) {
	header := http.Header{}
	if !token.IsZero() {
		header.Set("Authorization", "Bearer "+token.Reveal()) // RFC 6750 §2.1
	}
	return c.getWith(ctx, operation, endpoint, accept, header)
}

func (c *Client) getWith(ctx context.Context, operation, endpoint, accept string, header http.Header) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	req, err := newRequest(ctx, http.MethodGet, operation, endpoint, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Accept", accept)
	a, err := c.exchange(operation, req)
	if err != nil {
		return nil, err
	}
	a.secrets = sentSecrets(header, nil)
	return a, nil
}

// post sends a form, with the client's authentication as one of methods.
//
// Once the request is on its way, only a time limit ends it: the provider
// may already have spent the refresh token or the code in it.
func (c *Client) post(ctx context.Context, operation string, md *Metadata, endpoint string, form url.Values, methods []string) (*answer, error) {
	return c.postWith(ctx, operation, md, endpoint, form, methods, http.Header{})
}

func (c *Client) postWith(ctx context.Context, operation string, md *Metadata, endpoint string, form url.Values, methods []string, header http.Header) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if err := c.authenticate(ctx, md, header, form, methods); err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	ctx, release := untilSent(ctx)
	defer release()
	req, err := newRequest(ctx, http.MethodPost, operation, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := c.exchange(operation, req)
	if err != nil {
		return nil, err
	}
	a.secrets = sentSecrets(header, form)
	return a, nil
}

func newRequest(ctx context.Context, method, operation, endpoint string, body io.Reader) (*http.Request, error) {
	u, err := checkEndpoint(endpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: the endpoint %q %w", operation, Clean(endpoint), err)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	return req, nil
}

func (c *Client) exchange(operation string, req *http.Request) (*answer, error) {
	var client http.Client
	if c.HTTP != nil {
		client = *c.HTTP
	}
	redirected := ""
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		err := checkRedirect(next, via)
		if err == nil {
			if redirected = next.URL.Host; redirected == req.URL.Host {
				redirected = ""
			}
		}
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		err = elsewhere(redirected, ended(req.Context(), err))
		var stream streamError
		if errors.As(err, &stream) {
			err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
		}
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	defer func() { _ = res.Body.Close() }()

	a := &answer{Response: res, redirected: redirected}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if len(a.body) > maxAnswer {
		a.body, a.tooLarge = a.body[:maxAnswer], true
	}
	// The status of a server in trouble says enough. For any other, the
	// verdict may have been in the part that is missing.
	if err != nil && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests {
		return nil, fmt.Errorf("%s: reading the answer: %w", operation, elsewhere(redirected, cutOff(ended(req.Context(), err))))
	}
	return a, nil
}

// streamError is how net/http lets its own HTTP/2 stream error be found: by
// the fields.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("HTTP/2 stream reset, code %d", e.Code) }

// ended makes every failure of a context that has ended the context's:
// net/http gives the cause, such as the signal that came.
func ended(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		return fmt.Errorf("%w: %w", end, err)
	}
	return err
}

// cutOff makes every failure to read a body that has no network error in it
// (a broken encoding, a stream reset by HTTP/2) the one that says so.
func cutOff(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

// checkRedirect follows a few redirects of a document, to https only (or, on
// this machine, http), and none of a POST: what is in it is meant for one
// server. A redirect that is not followed is the answer.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	_, err := checkEndpoint(req.URL.String())
	// net/http takes an access token along to another port and to subdomains.
	if first.Method != http.MethodGet || first.Header.Get("Authorization") != "" || len(via) > maxRedirects || err != nil ||
		req.URL.Scheme == "http" && first.URL.Scheme != "http" {
		return http.ErrUseLastResponse
	}
	return nil
}

// object gives the JSON object of a 200, or a failure.
func (a *answer) object(operation string) (object, error) {
	if a.StatusCode != http.StatusOK || a.tooLarge {
		return nil, a.failure(operation)
	}
	o, err := parseObject(a.body)
	if err != nil {
		return nil, a.failure(operation)
	}
	return o, nil
}

// failure is the answer as an error.
func (a *answer) failure(operation string) error {
	// The request, which a response points to, has secrets in it.
	e := &oauth2.RetrieveError{Response: &http.Response{
		Status: a.Status, StatusCode: a.StatusCode, Header: a.Header, Body: http.NoBody,
		Proto: a.Proto, ProtoMajor: a.ProtoMajor, ProtoMinor: a.ProtoMinor,
	}}
	if o, err := parseObject(a.body); err == nil { // RFC 6749 §5.2
		e.ErrorCode = a.shown(o.text("error"))
		e.ErrorDescription = a.shown(o.text("error_description"))
		e.ErrorURI = a.shown(o.text("error_uri"))
	}
	// What came with a success may be a token.
	if a.StatusCode < 200 || a.StatusCode > 299 {
		e.Body = a.body[:min(len(a.body), maxErrorBody)]
	}
	failed := elsewhere(a.redirected, &answerError{operation: operation, answer: e})
	if a.hint != "" {
		return &hintedError{failed, a.hint}
	}
	return failed
}

// answerError gives an oauth2.RetrieveError a text that may be shown: its own
// has the whole body.
type answerError struct {
	operation string
	answer    *oauth2.RetrieveError
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("%s: HTTP %d", e.operation, e.answer.Response.StatusCode)
	if e.answer.ErrorCode != "" {
		text += ", " + e.answer.ErrorCode
	}
	if e.answer.ErrorDescription != "" {
		text += ": " + e.answer.ErrorDescription
	}
	if e.answer.ErrorCode == "" && e.answer.Response.StatusCode < 400 {
		text += ", which is not an answer of the provider"
	}
	return text
}

func (e *answerError) Unwrap() error { return e.answer }

// Operation is what was asked for, which tells what the answer lacks.
func (e *answerError) Operation() string { return e.operation }

// hintedError is an error that a person can do something about.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *hintedError) Hint() string { return e.hint }
