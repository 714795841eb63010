package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// proofLeeway is how old, or how far in the future, a proof may be.
const proofLeeway = time.Minute

// dpopAlgs are what proofs may be signed with.
var dpopAlgs = []string{"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"}

// checkProof checks the DPoP proof of a request by the twelve points of RFC
// 9449 §4.3 and gives the thumbprint of its key. access is the token that the
// proof goes with, or "". The nonce that the client needs next is put into the
// answer's header.
func (p *Provider) checkProof(w http.ResponseWriter, r *http.Request, access string) (string, *problem) {
	set := p.Settings()
	next := p.nextNonce(set)
	if next != "" {
		w.Header().Set("DPoP-Nonce", next) // §8.2
		w.Header().Add("Cache-Control", "no-store")
	}
	wrong := func(why string) (string, *problem) { return "", refuse("invalid_dpop_proof", why) }
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return wrong("there must be one DPoP proof")
	}
	j, err := parseJWT(proofs[0])
	if err != nil {
		return wrong("the DPoP proof can't be read: " + err.Error())
	}
	jwk, _ := j.header["jwk"].(map[string]any)
	key, thumbprint, err := publicJWK(jwk)
	iat, dated := number(j.claims, "iat")
	jti := text(j.claims, "jti")
	switch {
	case text(j.header, "typ") != "dpop+jwt":
		return wrong("typ must be dpop+jwt")
	case !slices.Contains(dpopAlgs, text(j.header, "alg")):
		return wrong("alg is not supported")
	case err != nil:
		return wrong("jwk: " + err.Error())
	case j.verify(key) != nil:
		return wrong("the signature is wrong")
	case jti == "":
		return wrong("there is no jti")
	case text(j.claims, "htm") != r.Method:
		return wrong("htm is not the request's method")
	case text(j.claims, "htu") != addressOf(r):
		return wrong("htu is not the request's address")
	case !dated || age(p.now(), iat) > proofLeeway || age(p.now(), iat) < -proofLeeway:
		return wrong("iat is too old or in the future")
	}
	if sum := sha256.Sum256([]byte(access)); access != "" && text(j.claims, "ath") != b64(sum[:]) {
		return wrong("ath is not the hash of the access token") // §7
	}
	nonce := text(j.claims, "nonce")
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case set.DPoPNonce && !p.nonces[nonce]:
		return "", refuse("use_dpop_nonce", "the proof needs the nonce of this answer") // §8
	case p.jtis["dpop "+jti]:
		p.replays++
		return wrong("this proof was used before") // §11.1
	}
	p.jtis["dpop "+jti] = true
	if set.DPoPNonceOnce {
		delete(p.nonces, nonce)
	}
	return thumbprint, nil
}

func age(now time.Time, iat int64) time.Duration { return now.Sub(time.Unix(iat, 0)) }

// addressOf is the address that the client asked, without query, §4.2 "htu".
func addressOf(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// nextNonce is the nonce for the client's next proof: the same one until
// [Provider.RotateNonce], or each time another one.
func (p *Provider) nextNonce(set Settings) string {
	if !set.DPoPNonce {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nonce == "" || set.DPoPNonceOnce {
		p.nonce = rand.Text()
		p.nonces[p.nonce] = true
	}
	return p.nonce
}

// RotateNonce makes every DPoP nonce invalid that was given out.
func (p *Provider) RotateNonce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonce = ""
	clear(p.nonces)
}

// Replays is how often a DPoP proof or a client assertion came twice.
func (p *Provider) Replays() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.replays
}

// bindingOf is what a token request binds its tokens to.
func (p *Provider) bindingOf(w http.ResponseWriter, r *http.Request) (binding, *problem) {
	set := p.Settings()
	var b binding
	if set.CertificateBound {
		b.certificate = thumbprintOf(r)
	}
	switch {
	case set.DPoP == Absent:
		return b, nil
	case len(r.Header.Values("DPoP")) == 0 && set.DPoP == Required:
		code := set.DPoPMissing
		if code == "" {
			code = "invalid_dpop_proof"
		}
		return b, refuse(code, "this provider wants a DPoP proof")
	case len(r.Header.Values("DPoP")) == 0:
		return b, nil
	}
	var bad *problem
	b.key, bad = p.checkProof(w, r, "")
	return b, bad
}

// binding is what a token can be used with alone: a DPoP key (RFC 9449 §6) or
// a client certificate (RFC 8705 §3).
type binding struct{ key, certificate string }

func (b binding) tokenType() string {
	if b.key != "" {
		return "DPoP"
	}
	return "Bearer"
}

// presented checks how an access token was shown, RFC 6750 §2.1 and RFC 9449
// §7.1, and gives it.
func (p *Provider) presented(w http.ResponseWriter, r *http.Request) *accessToken {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.mu.Lock()
	access := p.liveAccess(token)
	p.mu.Unlock()
	switch {
	case access == nil,
		access.certificate != "" && access.certificate != thumbprintOf(r),
		access.key == "" && !strings.EqualFold(scheme, "Bearer"),
		access.key != "" && !strings.EqualFold(scheme, "DPoP"):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", "the access token is not valid")
		return nil
	case access.key == "":
		return access
	}
	key, bad := p.checkProof(w, r, token)
	if bad == nil && key != access.key {
		bad = refuse("invalid_token", "the proof is by another key")
	}
	if bad != nil {
		w.Header().Set("WWW-Authenticate", `DPoP error="`+bad.code+`"`)
		oauthError(w, http.StatusUnauthorized, bad.code, bad.description)
		return nil
	}
	return access
}
