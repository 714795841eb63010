package oidcflow

import (
	"context"
	"errors"
	"mime"
	"net/http"
)

// ErrSignedUserInfo: the provider signs or encrypts its userinfo answers for
// this client, which is not supported.
var ErrSignedUserInfo = errors.New("userinfo: the provider answers with a signed or encrypted JWT, which is not supported: have it answer with JSON")

// ErrNoUserInfo: the provider has no userinfo endpoint.
var ErrNoUserInfo = errors.New("userinfo: the provider has no userinfo endpoint")

// SubjectError is an answer about someone else.
type SubjectError struct{ Want, Got string }

// Error implements error.
func (e *SubjectError) Error() string {
	if e.Got == "" {
		return "userinfo: the answer has no subject"
	}
	return "userinfo: the answer is about another subject"
}

// UserInfo fetches the claims about the user, OpenID Connect Core §5.3. Their
// subject must be the ID token's (§5.3.2), so that nobody's claims are
// swapped in.
func (c *Client) UserInfo(ctx context.Context, md *Metadata, access Secret, subject string) ([]byte, error) {
	const operation = "userinfo"
	if md.UserinfoEndpoint == "" {
		return nil, ErrNoUserInfo
	}
	a, err := c.get(ctx, operation, md.UserinfoEndpoint, "application/json", access)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); kind == "application/jwt" && a.StatusCode == http.StatusOK {
		return nil, ErrSignedUserInfo
	}
	o, err := a.object(operation)
	if err != nil {
		return nil, err
	}
	if got := o.text("sub"); got == "" || got != subject {
		return nil, &SubjectError{Want: subject, Got: Clean(got)}
	}
	return a.body, nil
}
