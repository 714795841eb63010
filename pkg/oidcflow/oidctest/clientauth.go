package oidctest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// assertionType is RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxAssertionLife is how far in the future an assertion may expire.
const maxAssertionLife = 15 * time.Minute

// methods are the ways in which the client may authenticate, by the names of
// RFC 7591 §2.
func (c Client) methods() []string {
	switch {
	case c.Auth != "":
		return []string{c.Auth}
	case c.Key != nil:
		return []string{"private_key_jwt"}
	case c.CertificateSubject != "":
		return []string{"tls_client_auth"}
	case len(c.Certificate) > 0:
		return []string{"self_signed_tls_client_auth"}
	case c.Secret != "":
		return []string{"client_secret_basic", "client_secret_post"}
	}
	return []string{"none"}
}

// public says whether anybody can call himself this client.
func (c Client) public() bool { return slices.Contains(c.methods(), "none") }

// authenticate is RFC 6749 §2.3: one way, and the one that is registered.
func (p *Provider) authenticate(r *http.Request) (Client, *problem) {
	denied := &problem{http.StatusUnauthorized, "invalid_client", "client authentication failed"}
	form := r.PostForm
	id, secret := form.Get("client_id"), form.Get("client_secret")
	var ways []string
	if form.Has("client_secret") {
		ways = append(ways, "client_secret_post")
	}
	if r.Header.Get("Authorization") != "" {
		ways = append(ways, "client_secret_basic")
		user, password, ok := r.BasicAuth()
		name, err1 := url.QueryUnescape(user) // RFC 6749 §2.3.1
		secret1, err2 := url.QueryUnescape(password)
		if !ok || err1 != nil || err2 != nil || id != "" && id != name {
			return Client{}, denied
		}
		id, secret = name, secret1
	}
	if form.Has("client_assertion") {
		ways = append(ways, "private_key_jwt")
		if id == "" { // RFC 7521 §4.2: the assertion names the client
			if j, err := parseJWT(form.Get("client_assertion")); err == nil {
				id = text(j.claims, "sub")
			}
		}
	}
	client, known := p.clients[id]
	switch {
	case len(ways) > 1:
		return Client{}, refuse("invalid_request", "two ways of client authentication at once")
	case !known:
		return Client{}, denied
	}
	allowed := client.methods()
	if len(ways) == 0 {
		// A certificate is shown in the connection, with nothing in the form.
		ways = []string{"none"}
		if allowed[0] == "tls_client_auth" || allowed[0] == "self_signed_tls_client_auth" {
			ways = allowed
		}
	}
	if !slices.Contains(allowed, ways[0]) {
		return Client{}, denied
	}
	why := ""
	switch ways[0] {
	case "client_secret_basic", "client_secret_post":
		if subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1 {
			why = denied.description
		}
	case "private_key_jwt":
		why = p.checkAssertion(client, r)
	case "tls_client_auth", "self_signed_tls_client_auth":
		why = p.checkCertificate(client, r)
	}
	if why != "" {
		return Client{}, &problem{http.StatusUnauthorized, "invalid_client", why}
	}
	return client, nil
}

// checkAssertion is RFC 7523 §3 with OpenID Connect Core §9. The text says
// what is wrong.
func (p *Provider) checkAssertion(client Client, r *http.Request) string {
	if r.PostForm.Get("client_assertion_type") != assertionType {
		return "client_assertion_type must be " + assertionType
	}
	j, err := parseJWT(r.PostForm.Get("client_assertion"))
	if err != nil {
		return "the client assertion can't be read: " + err.Error()
	}
	exp, expires := number(j.claims, "exp")
	iat, dated := number(j.claims, "iat")
	jti := text(j.claims, "jti")
	switch {
	case client.KeyID != "" && text(j.header, "kid") != client.KeyID:
		return "the assertion's kid is not the client's"
	case j.verify(client.Key) != nil:
		return "the assertion's signature is wrong"
	case text(j.claims, "iss") != client.ID || text(j.claims, "sub") != client.ID:
		return "iss and sub of the assertion must be the client"
	case !p.audienceFits(r, texts(j.claims, "aud")):
		return "the assertion is meant for someone else"
	case !expires || age(p.now(), exp) >= 0 || age(p.now(), exp) < -maxAssertionLife:
		return "the assertion has expired, or lives too long"
	case dated && age(p.now(), iat) < -time.Minute:
		return "the assertion is from the future"
	case jti == "":
		return "the assertion has no jti"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.jtis["client "+client.ID+" "+jti] {
		p.replays++
		return "the assertion was used before"
	}
	p.jtis["client "+client.ID+" "+jti] = true
	return ""
}

// audienceFits is whom an assertion may be meant for: the issuer, or the
// endpoint that is asked, or as [Settings] say.
func (p *Provider) audienceFits(r *http.Request, aud []string) bool {
	allowed := []string{p.issuer, p.URL(TokenEndpoint), addressOf(r)}
	switch want := p.Settings().AssertionAudience; want {
	case "":
	case "issuer":
		allowed = []string{p.issuer}
	case "token_endpoint":
		allowed = []string{p.URL(TokenEndpoint)}
	default:
		allowed = []string{want}
	}
	return slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(allowed, a) })
}
