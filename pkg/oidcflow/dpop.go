package oidcflow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxNonce: RFC 9449 §8 sets no limit, but a nonce is a few dozen
	// characters.
	maxNonce = 4 << 10
	// maxNonceRepeats: one is what RFC 9449 §8 needs, the other is for a
	// nonce that was replaced in between.
	maxNonceRepeats = 2

	hintDPoPAlways = "the provider wants DPoP, and the first request, which had none, may have spent the code: set dpop to always and sign in again"
	hintDPoPMaybe  = "if the provider wants DPoP of this client, set dpop to always; in any case sign in again"
)

// binding is what the requests of one sign-in have in common for DPoP.
type binding struct {
	key   Secret
	nonce string // the provider's latest, RFC 9449 §8.2
}

// forFlow gives a client for the requests of one sign-in. Where all tokens
// are to be bound it has a key from the start.
func (c *Client) forFlow(md *Metadata) (*Client, error) {
	b, err := c.newBinding(md)
	if err != nil {
		return nil, err
	}
	own := *c
	own.binding = b
	return &own, nil
}

// dpopJKT is the value of dpop_jkt, which binds the authorization code to the
// key of the flow, RFC 9449 §10; "" if there is none.
func (c *Client) dpopJKT() (string, error) {
	if c.binding == nil || c.binding.key.IsZero() {
		return "", nil
	}
	return thumbprint(c.binding.key)
}

func (c *Client) newBinding(md *Metadata) (*binding, error) {
	b := &binding{key: c.DPoPKey}
	switch c.DPoP {
	case "", "auto", "never":
	case "always":
		if b.key.IsZero() {
			var err error
			if b.key, err = newDPoPKey(md.DPoPSigningAlgs); err != nil {
				return nil, err
			}
		}
	default:
		return nil, &ClientAuthError{fmt.Errorf("dpop can't be %q", Clean(c.DPoP)), "dpop is auto, always or never"}
	}
	return b, nil
}

// postForTokens asks the token endpoint, with a DPoP proof where there is a
// key (RFC 9449 §5) or the provider turns out to demand one. It gives the key
// too that the tokens in the answer are bound to.
//
// A demand is no verdict about what the request has in it: the request is
// repeated, within the time of one exchange.
func (c *Client) postForTokens(ctx context.Context, operation string, md *Metadata, form url.Values) (*answer, Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	b := c.binding
	if b == nil {
		var err error
		if b, err = c.newBinding(md); err != nil {
			return nil, Secret{}, err
		}
	}
	first, err := c.postProved(ctx, operation, md, form, b)
	if err != nil || !b.key.IsZero() || c.DPoP == "never" {
		return first, b.key, err
	}
	demand := first.demandsDPoP(md, form.Get("grant_type"))
	if demand == notDemanded {
		return first, Secret{}, nil
	}
	if b.key, err = newDPoPKey(md.DPoPSigningAlgs); err != nil {
		if demand == mayBeDemanded {
			return first, Secret{}, nil
		}
		return nil, Secret{}, fmt.Errorf("%s: %w", operation, err)
	}
	key := b.key
	if demand == mayBeDemanded {
		b.key = Secret{} // until it has helped
	}
	second, err := c.postProved(ctx, operation, md, form, &binding{key, b.nonce})
	if err != nil {
		return nil, Secret{}, err
	}
	once := isCodeGrant(form.Get("grant_type"))
	was, _ := first.oauthError()
	code, _ := second.oauthError()
	if demand == mayBeDemanded && code == was { // it was about something else
		if once {
			first.hint = hintDPoPMaybe
		}
		return first, Secret{}, nil
	}
	if once && code == "invalid_grant" {
		second.hint = hintDPoPAlways
	}
	b.key = key
	b.takeNonce(second)
	return second, key, nil
}

// checkBound refuses tokens of which none is bound although all are to be,
// RFC 9449 §5. With a public client, the refresh token alone may be. After a
// refresh it is too late: the former refresh token is spent.
func (c *Client) checkBound(operation string, md *Metadata, grant string, t *Tokens) error {
	if c.DPoP != "always" || t.Bound() || grant == "refresh_token" {
		return nil
	}
	method, err := c.authMethod(md.TokenEndpointAuthMethods)
	if err == nil && method == authNone && !t.Refresh.IsZero() && len(md.DPoPSigningAlgs) > 0 {
		return nil
	}
	return &NotBoundError{operation, Clean(t.TokenType)}
}

// postProved posts once, and again with the nonce that the provider asks for.
func (c *Client) postProved(ctx context.Context, operation string, md *Metadata, form url.Values, b *binding) (*answer, error) {
	endpoint := c.endpoint(md, "token_endpoint", md.TokenEndpoint)
	for repeats := 0; ; repeats++ {
		header := http.Header{}
		if !b.key.IsZero() {
			p := proof{method: http.MethodPost, endpoint: endpoint, now: c.now(), nonce: b.nonce, listed: md.DPoPSigningAlgs}
			signed, err := p.sign(b.key)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", operation, err)
			}
			header.Set("DPoP", signed)
		}
		a, err := c.postWith(ctx, operation, md, endpoint, form, md.TokenEndpointAuthMethods, header)
		if err != nil {
			return nil, err
		}
		fresh := b.takeNonce(a)
		code, _ := a.oauthError()
		if code != "use_dpop_nonce" || !fresh || b.key.IsZero() || repeats == maxNonceRepeats {
			return a, nil
		}
	}
}

// takeNonce keeps the nonce that comes with an answer and says whether there
// is one, RFC 9449 §8.
func (b *binding) takeNonce(a *answer) bool {
	nonce := a.Header.Get("DPoP-Nonce")
	if len(nonce) > maxNonce || !visible(nonce) {
		return false
	}
	b.nonce = nonce
	return true
}

// demand says whether an answer asks for DPoP.
type demand int

const (
	notDemanded demand = iota
	mayBeDemanded
	demanded
)

// demandsDPoP reads the answer to a request without a proof. RFC 9449 §5 has
// no code for "a proof is missing", so some providers say it in words, and
// some say nothing but that the grant is invalid, before they have looked at
// it.
func (a *answer) demandsDPoP(md *Metadata, grant string) demand {
	code, description := a.oauthError()
	switch {
	case code == "invalid_dpop_proof", code == "use_dpop_nonce":
		return demanded
	case code == "" || len(md.DPoPSigningAlgs) == 0:
		return notDemanded
	case strings.Contains(strings.ToLower(description), "dpop"):
		return demanded
	case grant != "refresh_token" && (code == "invalid_grant" || code == "invalid_request"):
		// A refresh token that was got without DPoP works without it.
		return mayBeDemanded
	}
	return notDemanded
}

// isCodeGrant says whether the grant has something that is good only once.
func isCodeGrant(grant string) bool {
	return grant == "authorization_code" || grant == deviceGrant
}

// oauthError is the error of the answer, RFC 6749 §5.2; "" if it has none.
func (a *answer) oauthError() (code, description string) {
	if a.tooLarge {
		return "", ""
	}
	o, err := parseObject(a.body)
	if err != nil {
		return "", ""
	}
	return o.text("error"), o.text("error_description")
}
