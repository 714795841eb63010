package oidcflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// whatIsWrong names the claim for which go-oidc refused a token that the
// provider did sign.
func (c *Client) whatIsWrong(md *Metadata, payload []byte) error {
	o, err := parseObject(payload)
	if err != nil {
		return &IDTokenError{"format", "its payload is no JSON object"}
	}
	if iss := o.text("iss"); iss != md.Issuer {
		return &IDTokenError{"iss", fmt.Sprintf("its issuer is %q, not %q", Clean(iss), Clean(md.Issuer))}
	}
	if aud, ok := o.texts("aud"); o.text("aud") != c.ClientID && !(ok && slices.Contains(aud, c.ClientID)) {
		if one := o.text("aud"); one != "" {
			aud = []string{one}
		}
		return &IDTokenError{"aud", fmt.Sprintf("it is meant for %q, not for this client", Clean(strings.Join(aud, " ")))}
	}
	return &IDTokenError{"format", "its claims can't be read"}
}

// checkClaims is what go-oidc leaves to its caller.
func (c *Client) checkClaims(token *oidc.IDToken, payload []byte, x Expect) (*IDClaims, error) {
	o, err := parseObject(payload)
	if err != nil {
		return nil, &IDTokenError{"format", "its payload is no JSON object"}
	}
	if err := o.checkNames(); err != nil {
		return nil, err
	}
	// Points 4 and 5: with several audiences, the one that it was issued to is
	// named, and it is us.
	azp := o.text("azp")
	switch {
	case len(x.Audience) > 0:
		// It is not for us, so it is the one whom it was asked for that counts.
		if ours := append([]string{c.ClientID}, x.Audience...); !slices.ContainsFunc(token.Audience, func(aud string) bool { return slices.Contains(ours, aud) }) {
			return nil, &IDTokenError{"aud", fmt.Sprintf("it is meant for %q, and was asked for %q", Clean(strings.Join(token.Audience, " ")), Clean(strings.Join(x.Audience, " ")))}
		}
	case o.has("azp") && azp != c.ClientID:
		return nil, &IDTokenError{"azp", fmt.Sprintf("it was issued to %q, not to this client", Clean(azp))}
	case len(token.Audience) > 1 && !o.has("azp"):
		return nil, &IDTokenError{"azp", "it has several audiences and does not say to which client it was issued"}
	}
	// Point 11, and §12.2 after a refresh.
	if x.Nonce != "" && !(x.Refresh && !o.has("nonce")) && !NewSecret(x.Nonce).Equal(NewSecret(token.Nonce)) {
		return nil, &IDTokenError{"nonce", "its nonce is not that of the sign-in"}
	}
	switch {
	case token.Subject == "":
		return nil, &IDTokenError{"sub", "it has no subject"}
	case x.Subject != "" && token.Subject != x.Subject:
		return nil, &IDTokenError{"sub", "its subject is not the one that signed in"}
	}
	if o.has("at_hash") && !x.AccessToken.IsZero() {
		if token.VerifyAccessToken(x.AccessToken.Reveal()) != nil {
			return nil, &IDTokenError{"at_hash", "its at_hash is not that of the access token"}
		}
	}
	if !x.Refresh {
		if err := c.checkACR(o); err != nil {
			return nil, err
		}
	}
	return &IDClaims{
		Issuer: token.Issuer, Subject: token.Subject, Audience: token.Audience,
		Expiry: token.Expiry, IssuedAt: token.IssuedAt, Nonce: token.Nonce,
		Name: o.text("name"), PreferredUsername: o.text("preferred_username"), Email: o.text("email"),
		Raw: payload,
	}, nil
}

// checkTimes is points 9, 10 and 13. An "iat" long ago is no fault: what matters
// is the expiry.
func (c *Client) checkTimes(token *oidc.IDToken, payload []byte, x Expect) error {
	o, err := parseObject(payload)
	if err != nil {
		return err
	}
	now := c.now()
	var notBefore float64
	if o.has("nbf") && json.Unmarshal(o["nbf"], &notBefore) != nil {
		return &IDTokenError{"format", "its claims can't be read"}
	}
	switch {
	case !o.has("exp"):
		return &IDTokenError{"format", "it has no expiry"}
	case !o.has("iat"):
		return &IDTokenError{"format", "it does not say when it was issued"}
	case token.IssuedAt.After(now.Add(issuedLeeway)):
		return &IDTokenError{"iat", "it is from the future, so this machine's clock may be behind"}
	case notBefore > float64(now.Add(issuedLeeway).Unix()):
		return &IDTokenError{"nbf", "it is not valid yet, so this machine's clock may be behind"}
	case !token.Expiry.After(now.Add(-expiryLeeway)):
		return &IDTokenError{"exp", "it has expired, so this machine's clock may be ahead"}
	case x.Refresh:
		return nil
	case x.Asked.IsZero():
		x.Asked = now
	}
	return c.checkAuthTime(o, x.Asked)
}
