package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// problem is an error of the token endpoint, RFC 6749 §5.2.
type problem struct {
	status            int
	code, description string
}

func refuse(code, description string) *problem {
	return &problem{http.StatusBadRequest, code, description}
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	client, bad := p.clientRequest(r)
	var answer map[string]any
	var b binding
	if bad == nil {
		b, bad = p.bindingOf(w, r) // before a code or a refresh token is spent
	}
	if bad == nil {
		form := r.PostForm
		p.mu.Lock()
		switch form.Get("grant_type") {
		case "authorization_code":
			answer, bad = p.redeemCode(client, form, b)
		case "refresh_token":
			answer, bad = p.refresh(client, form, b)
		case deviceGrant:
			answer, bad = p.pollDevice(client, form, b)
		case "client_credentials":
			answer, bad = p.clientCredentials(client, form, b)
		case jwtBearerGrant:
			answer, bad = p.jwtBearer(client, r, b)
		case tokenExchangeGrant:
			answer, bad = p.exchange(client, r, b)
		default:
			bad = refuse("unsupported_grant_type", "no such grant type")
		}
		if bad == nil {
			p.granted[form.Get("grant_type")]++
		}
		p.mu.Unlock()
	}
	if bad != nil {
		if bad.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="oidctest"`)
		}
		oauthError(w, bad.status, bad.code, bad.description)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// clientRequest checks the form of a request that a client makes directly, and
// the client's authentication, RFC 6749 §2.3.
func (p *Provider) clientRequest(r *http.Request) (Client, *problem) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		return Client{}, &problem{http.StatusMethodNotAllowed, "invalid_request", "the method must be POST"}
	case kind != "application/x-www-form-urlencoded":
		return Client{}, refuse("invalid_request", "the body must be a form")
	case r.URL.RawQuery != "":
		return Client{}, refuse("invalid_request", "parameters belong in the body")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return Client{}, refuse("invalid_request", "parameter "+name+" is repeated")
		}
	}
	return p.authenticate(r)
}

// redeemCode is RFC 6749 §4.1.3 with RFC 7636 §4.6.
func (p *Provider) redeemCode(client Client, form url.Values, b binding) (map[string]any, *problem) {
	c := p.codes[form.Get("code")]
	switch {
	case c == nil || c.client != client.ID:
		return nil, refuse("invalid_grant", "no such code")
	case c.used:
		// RFC 6749 §4.1.2: what the code gave is revoked.
		c.ended = true
		return nil, refuse("invalid_grant", "the code was used before")
	case !p.now().Before(c.expires):
		return nil, refuse("invalid_grant", "the code has expired")
	}
	c.used = true
	switch {
	case form.Get("redirect_uri") != c.redirect:
		return nil, refuse("invalid_grant", "redirect_uri is not the one of the authorization request")
	case !verifies(form.Get("code_verifier"), c.challenge):
		return nil, refuse("invalid_grant", "code_verifier does not match")
	case c.key != "" && c.key != b.key:
		return nil, refuse("invalid_grant", "the code is bound to another DPoP key") // RFC 9449 §10
	}
	c.audience = append(slices.Clone(form["resource"]), c.audience...)
	return p.issue(c.session, c.scopes, false, b), nil
}

// verifies is RFC 7636 §4.1 and §4.6 for S256, the only method here.
func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 &&
		subtle.ConstantTimeCompare([]byte(b64(sum[:])), []byte(challenge)) == 1
}

// refresh is RFC 6749 §6, with the rotation of RFC 9700 §4.14.2.
func (p *Provider) refresh(client Client, form url.Values, b binding) (map[string]any, *problem) {
	t := p.refreshes[form.Get("refresh_token")]
	switch {
	case t == nil || t.client != client.ID:
		return nil, refuse("invalid_grant", "no such refresh token")
	case !t.spent.IsZero() && (p.settings.ReuseGrace == 0 || p.now().Sub(t.spent) >= p.settings.ReuseGrace):
		p.reused++
		if !p.settings.KeepFamily {
			t.ended = true
		}
		return nil, refuse("invalid_grant", "the refresh token was used before")
	case t.ended:
		return nil, refuse("invalid_grant", "the session was ended")
	case !t.expires.IsZero() && !p.now().Before(t.expires):
		return nil, refuse("invalid_grant", "the refresh token has expired")
	case t.key != "" && t.key != b.key:
		return nil, refuse("invalid_grant", "the refresh token is bound to another DPoP key") // RFC 9449 §5
	}
	scopes := t.scopes
	if p.settings.RefreshScopes != nil {
		scopes = p.settings.RefreshScopes
	}
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		for _, s := range asked {
			if !slices.Contains(t.scopes, s) {
				return nil, refuse("invalid_scope", "more than was granted")
			}
		}
		scopes = asked
	}
	if !p.settings.NoRotation && !p.settings.NoRefreshTokens && t.spent.IsZero() {
		t.spent = p.now()
	}
	return p.issue(t.session, scopes, true, b), nil
}

// issue makes the token answer, RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3.
func (p *Provider) issue(s *session, scopes []string, refresh bool, b binding) map[string]any {
	set := p.settings
	now, life := p.now(), set.lifetime()
	access := p.newAccess(s, scopes, now, life, b)
	answer := map[string]any{
		"access_token": access, "token_type": b.tokenType(),
		"expires_in": int64(life / time.Second), "scope": strings.Join(scopes, " "),
	}
	if !set.NoRefreshTokens && (!refresh || !set.NoRotation) &&
		(!set.OfflineAccessOnly || slices.Contains(s.scopes, "offline_access")) {
		token := &refreshToken{session: s}
		if p.clients[s.client].public() {
			token.key = b.key
		}
		if set.RefreshLifetime > 0 {
			token.expires = now.Add(set.RefreshLifetime)
			if set.RefreshExpiry != "" {
				answer[set.RefreshExpiry] = int64(set.RefreshLifetime / time.Second)
			}
		}
		text := p.secret("rt-", set.TokenPadding)
		p.refreshes[text] = token
		answer["refresh_token"] = text
	}
	if slices.Contains(scopes, "openid") && !set.NoIDToken && (!refresh || !set.NoIDTokenOnRefresh) {
		answer["id_token"] = p.remember(p.idToken(s, access, now, life, refresh))
	}
	override(answer, set.TokenResponse)
	return answer
}

func (p *Provider) newAccess(s *session, scopes []string, now time.Time, life time.Duration, b binding) string {
	var text string
	if p.settings.JWTAccessTokens {
		claims := map[string]any{
			"iss": p.issuer, "sub": s.subject, "client_id": s.client, "scope": strings.Join(scopes, " "),
			"iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": rand.Text(), "aud": p.issuer,
		}
		if len(s.audience) > 0 {
			claims["aud"] = s.audience
		}
		if b != (binding{}) {
			cnf := map[string]any{}
			if b.key != "" {
				cnf["jkt"] = b.key // RFC 9449 §6.1
			}
			if b.certificate != "" {
				cnf["x5t#S256"] = b.certificate // RFC 8705 §3.1
			}
			claims["cnf"] = cnf
		}
		pad(claims, p.settings.TokenPadding)
		text = p.remember(p.keys[0].jwt("at+jwt", claims, SignatureGood))
	} else {
		text = p.secret("at-", p.settings.TokenPadding)
	}
	p.accesses[text] = &accessToken{session: s, binding: b, expires: now.Add(life)}
	return text
}

// idToken is OpenID Connect Core §2; with a refresh, §12.2: no nonce.
func (p *Provider) idToken(s *session, access string, now time.Time, life time.Duration, refresh bool) string {
	claims := map[string]any{
		"iss": p.issuer, "sub": s.subject, "aud": s.client, "iat": now.Unix(), "exp": now.Add(life).Unix(),
		"auth_time": s.signedIn.Unix(),
	}
	if half := sha256.Sum256([]byte(access)); access != "" {
		claims["at_hash"] = b64(half[:16]) // §3.1.3.6
	}
	if s.acr != "" {
		claims["acr"] = s.acr
	}
	if s.nonce != "" && !refresh {
		claims["nonce"] = s.nonce
	}
	override(claims, profile(s))
	pad(claims, p.settings.TokenPadding)
	override(claims, p.settings.IDTokenClaims)
	return p.keys[0].jwt("JWT", claims, p.settings.Signature)
}

func pad(claims map[string]any, padding int) {
	if padding > 0 {
		claims["padding"] = strings.Repeat("0", padding)
	}
}

// profile are the claims that scopes ask for, OpenID Connect Core §5.4.
func profile(s *session) map[string]any {
	claims := map[string]any{}
	if slices.Contains(s.scopes, "profile") {
		claims["name"], claims["preferred_username"] = "Ada "+s.subject, s.subject
	}
	if slices.Contains(s.scopes, "email") {
		claims["email"], claims["email_verified"] = s.subject+"@example.com", true
	}
	return claims
}
