package oidcflow

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxLifetime: what claims to live longer is taken as a mistake.
const maxLifetime = 10 * 365 * 24 * time.Hour

// Tokens are what the token endpoint gave, RFC 6749 §5.1.
type Tokens struct {
	// Access is always there.
	Access Secret
	// Refresh is zero where none came. After a refresh the former one is then
	// still good, RFC 6749 §6.
	Refresh Secret
	// ID is zero where none came. After a refresh the former one stands,
	// OpenID Connect Core §12.2. It is not verified yet.
	ID Secret
	// TokenType as the provider wrote it, such as "Bearer".
	TokenType string
	// Expiry of the access token; zero unknown.
	Expiry time.Time
	// Obtained is when they were asked for.
	Obtained time.Time
	// Scopes granted; nil: not stated, so as asked for.
	Scopes []string
	// RefreshExpiry is when the refresh token ends by what the provider
	// announced, in one of the members that several providers have for it
	// (refresh_expires_in, refresh_token_expires_in); zero unknown.
	RefreshExpiry time.Time
	// DPoPKey is the key that the tokens are bound to, RFC 9449; zero if they
	// are not. It goes into [Client.DPoPKey] for whatever uses them.
	DPoPKey Secret
	// IssuedTokenType is what a token exchange issued, RFC 8693 §2.2.1; "" in
	// every other answer.
	IssuedTokenType string
}

// Bound says whether the access token is good only with a proof of the key's
// possession, RFC 9449 §5.
func (t *Tokens) Bound() bool { return strings.EqualFold(t.TokenType, "DPoP") }

// requestTokens asks the token endpoint.
func (c *Client) requestTokens(ctx context.Context, operation string, md *Metadata, form url.Values) (*Tokens, error) {
	// The lifetime counts from before the request, so that a slow answer
	// never makes a token look younger than it is.
	asked := c.now()
	a, key, err := c.postForTokens(ctx, operation, md, form)
	if err != nil {
		return nil, err
	}
	t, err := a.tokens(operation, asked)
	if err != nil {
		if faulty := a.faultyToken(operation, form.Get("grant_type")); faulty != nil {
			return nil, faulty
		}
		return nil, err
	}
	t.DPoPKey = key
	// After a refresh it is too late for this check too: the former refresh
	// token is spent, and the new one is what the session goes on with. Whoever
	// gives the access token out checks it then.
	if grant := form.Get("grant_type"); grant != "refresh_token" {
		if err := CheckTokenType(t.TokenType, grant == tokenExchangeGrant); err != nil {
			return nil, fmt.Errorf("%s: %w", operation, err)
		}
	}
	if err := c.checkBound(operation, md, form.Get("grant_type"), t); err != nil {
		return nil, err
	}
	return t, nil
}

// tokens reads the answer of a token endpoint. Only a 200 with an object that
// has an access token and its type is a success: an empty body, a redirect,
// HTML or {} come from something between us and the provider.
func (a *answer) tokens(operation string, at time.Time) (*Tokens, error) {
	o, err := a.object(operation)
	if err != nil {
		return nil, err
	}
	t := &Tokens{
		Access:    NewSecret(o.text("access_token")),
		Refresh:   NewSecret(o.text("refresh_token")),
		ID:        NewSecret(o.text("id_token")),
		TokenType: strings.TrimSpace(o.text("token_type")),
		Obtained:  at,
		Scopes:    o.scopes(),

		IssuedTokenType: o.text("issued_token_type"),
	}
	// Some servers send errors with 200.
	if o.text("error") != "" || t.TokenType == "" || !visible(t.Access.Reveal()) {
		return nil, a.failure(operation)
	}
	if life := lifetime(o["expires_in"]); life > 0 {
		t.Expiry = at.Add(life)
	}
	if life := o.refreshLifetime(); life > 0 {
		t.RefreshExpiry = at.Add(life)
	}
	return t, nil
}

// refreshLifetime reads the refresh token's, which no standard names: Keycloak
// has "refresh_expires_in" (0 is without an end), others
// "refresh_token_expires_in". 0 is unknown.
func (o object) refreshLifetime() time.Duration {
	for _, name := range []string{"refresh_expires_in", "refresh_token_expires_in"} {
		if life := lifetime(o[name]); life > 0 {
			return life
		}
	}
	return 0
}

// visible says whether s is an access token by RFC 6749 appendix A.12: one or
// more printable ASCII characters. Others could end a header line or a line
// of a credential protocol.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}

// scopes reads "scope", RFC 6749 §3.3; some servers send a list.
func (o object) scopes() []string {
	if list, ok := o.texts("scope"); ok && list != nil {
		return list
	}
	if s := o.text("scope"); s != "" {
		return strings.Fields(s)
	}
	return nil
}

// lifetime reads "expires_in": a number of seconds, or a string of one. 0 is
// unknown: absent, or absurd.
func lifetime(raw json.RawMessage) time.Duration {
	text := string(raw)
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil {
		text = strings.TrimSpace(quoted)
	}
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return 0 // also "NaN", "Inf", "0x10"
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > maxLifetime.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
