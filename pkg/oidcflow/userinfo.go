package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
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
	return c.UserInfoFor(ctx, md, &Tokens{Access: access, TokenType: "Bearer"}, subject)
}

// UserInfoFor is [Client.UserInfo] with an access token that may be bound to
// a key.
func (c *Client) UserInfoFor(ctx context.Context, md *Metadata, t *Tokens, subject string) ([]byte, error) {
	const operation = "userinfo"
	if md.UserinfoEndpoint == "" {
		return nil, ErrNoUserInfo
	}
	if t.TokenType != "" {
		if err := CheckTokenType(t.TokenType, false); err != nil {
			return nil, fmt.Errorf("%s: %w", operation, err)
		}
	}
	a, err := c.askUserInfo(ctx, operation, md, t)
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

// askUserInfo shows the access token; one that is bound with a proof, RFC 9449
// §7.1, and once more with the nonce that the provider asks for, §9.
func (c *Client) askUserInfo(ctx context.Context, operation string, md *Metadata, t *Tokens) (*answer, error) {
	const accept = "application/json"
	endpoint := c.endpoint(md, "userinfo_endpoint", md.UserinfoEndpoint)
	if !t.Bound() {
		return c.get(ctx, operation, endpoint, accept, t.Access)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	b := &binding{key: t.DPoPKey}
	for repeats := 0; ; repeats++ {
		p := proof{method: http.MethodGet, endpoint: endpoint, now: c.now(), nonce: b.nonce, access: t.Access, listed: md.DPoPSigningAlgs}
		signed, err := p.sign(b.key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", operation, err)
		}
		header := http.Header{"Authorization": {"DPoP " + t.Access.Reveal()}}
		header.Set("DPoP", signed)
		a, err := c.getWith(ctx, operation, endpoint, accept, header)
		if err != nil {
			return nil, err
		}
		fresh := b.takeNonce(a)
		if a.StatusCode != http.StatusUnauthorized || !fresh || !a.wantsNonce() || repeats == maxNonceRepeats {
			return a, nil
		}
	}
}

// wantsNonce reads the challenge of a resource, RFC 9449 §9.
func (a *answer) wantsNonce() bool {
	code, _ := a.oauthError()
	return code == "use_dpop_nonce" || strings.Contains(strings.Join(a.Header.Values("WWW-Authenticate"), ","), "use_dpop_nonce")
}
