package oidcflow

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// maxRequestURI is more than any provider's request_uri has.
const maxRequestURI = 2048

// PushedRequestError says that a pushed authorization request is asked for and
// can't be made.
type PushedRequestError struct {
	Problem string
	hint    string
}

// Error implements error.
func (e *PushedRequestError) Error() string { return "pushed authorization request: " + e.Problem }

// Hint says what to do.
func (e *PushedRequestError) Hint() string { return e.hint }

// Configuration says that it is a matter of this machine's settings.
func (e *PushedRequestError) Configuration() bool { return true }

// pushFor hands the authorization request to the provider directly, RFC 9126,
// where that is asked for, and leaves the browser only a name for it.
func (c *Client) pushFor(ctx context.Context, md *Metadata, r *request, o SignInOptions) error {
	r.url, r.life = r.plain, 0
	must := c.PushedRequests == "always" || md.RequirePushedAuthorizationRequests
	switch {
	case c.PushedRequests == "never" && md.RequirePushedAuthorizationRequests:
		return &PushedRequestError{"the provider takes no other request", "set pushed_authorization_requests to auto"}
	case c.PushedRequests == "never":
		return nil
	case md.PushedAuthorizationRequestEndpoint == "" && must:
		return &PushedRequestError{
			"the provider has no pushed_authorization_request_endpoint",
			"set pushed_authorization_requests to auto or never, if the provider takes plain requests",
		}
	case md.PushedAuthorizationRequestEndpoint == "":
		return nil
	}
	endpoint, err := checkEndpoint(md.AuthorizationEndpoint)
	if err != nil {
		return err
	}
	pushed, err := c.push(ctx, md, r.params)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !must && plainWillDo(err):
		return nil
	case err != nil:
		return refusedPush(err)
	case !must && o.Open == nil && pushed.life < o.timeout():
		// It is good for a minute at many providers, and a person who carries
		// the address to another machine may need longer. The plain request
		// has no end.
		return nil
	}
	// §4: these two, and nothing of the request itself.
	r.url = withQuery(endpoint, url.Values{"client_id": {c.ClientID}, "request_uri": {pushed.uri}})
	r.life = pushed.life
	return nil
}

// pushedRequest is the answer, RFC 9126 §2.2.
type pushedRequest struct {
	uri  string
	life time.Duration
}

func (c *Client) push(ctx context.Context, md *Metadata, params url.Values) (*pushedRequest, error) {
	const operation = "pushed authorization request"
	// §2: authentication is the token endpoint's. The form is a copy, since
	// the authentication is added to it.
	a, err := abandon(ctx, func() (*answer, error) {
		return c.post(ctx, operation, md, c.endpoint(md, "pushed_authorization_request_endpoint", md.PushedAuthorizationRequestEndpoint), maps.Clone(params), md.TokenEndpointAuthMethods)
	})
	if err != nil {
		return nil, err
	}
	return a.pushedRequest(operation)
}

func (a *answer) pushedRequest(operation string) (*pushedRequest, error) {
	o, err := parseObject(a.body)
	// §2.2 says 201; some servers send 200.
	if err != nil || a.tooLarge || a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusOK {
		return nil, a.failure(operation)
	}
	p := &pushedRequest{uri: o.text("request_uri"), life: lifetime(o["expires_in"])}
	if o.text("error") != "" || p.life <= 0 || !isRequestURI(p.uri) {
		return nil, a.failure(operation)
	}
	return p, nil
}

// isRequestURI says whether the text is an absolute URI, as RFC 9101 §5.2
// wants it.
func isRequestURI(text string) bool {
	if len(text) > maxRequestURI || !visible(text) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "")
}

// plainWillDo says whether a push failed in a way that tells nothing about the
// request itself: there is no such endpoint, it is out of order, something else
// answered in its place, or it is not for this client. What the provider says
// about the request would only come again in the browser, where it may end at
// a page of the provider's.
func plainWillDo(err error) bool {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		return answer.ErrorCode == "" || answer.ErrorCode == "unauthorized_client" || passing(answer)
	}
	return isTransport(err)
}

// refusedPush makes the provider's "no" to the request the same as one that
// the browser brings. A "no" to the client's authentication (RFC 6749 §5.2)
// stays what it is at the token endpoint.
func refusedPush(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.ErrorCode == "" || answer.ErrorCode == "invalid_client" || passing(answer) {
		return err
	}
	return &AuthorizationError{Code: answer.ErrorCode, Description: answer.ErrorDescription, URI: answer.ErrorURI}
}
