package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Grants without a person.
const (
	jwtBearerGrant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// Token types of RFC 8693 §3.
const (
	tokenTypePrefix = "urn:ietf:params:oauth:token-type:"
	typeAccess      = tokenTypePrefix + "access_token"
	typeRefresh     = tokenTypePrefix + "refresh_token"
	typeID          = tokenTypePrefix + "id_token"
	typeJWT         = tokenTypePrefix + "jwt"
)

// workload begins a session of a grant without a person.
func workload(client Client, subject string, form url.Values) *session {
	return &session{
		client: client.ID, subject: subject, scopes: strings.Fields(form.Get("scope")),
		audience: append(slices.Clone(form["resource"]), form["audience"]...),
	}
}

// clientCredentials is RFC 6749 §4.4: for confidential clients alone, and
// without a refresh token.
func (p *Provider) clientCredentials(client Client, form url.Values, b binding) (map[string]any, *problem) {
	if client.public() {
		return nil, refuse("unauthorized_client", "a public client has no credentials")
	}
	s := workload(client, client.ID, form)
	s.signedIn = p.now()
	return p.answerOf(s, b, p.settings.WorkloadRefreshTokens), nil
}

// jwtBearer is RFC 7523 §2.1.
func (p *Provider) jwtBearer(client Client, r *http.Request, b binding) (map[string]any, *problem) {
	form := r.PostForm
	subject, why := p.checkSubject(form.Get("assertion"), r)
	if why != "" {
		return nil, refuse("invalid_grant", why) // §3.1
	}
	s := workload(client, subject, form)
	s.signedIn = p.now()
	return p.answerOf(s, b, p.settings.WorkloadRefreshTokens), nil
}

// exchange is RFC 8693 §2.
func (p *Provider) exchange(client Client, r *http.Request, b binding) (map[string]any, *problem) {
	form := r.PostForm
	var subject, why string
	switch form.Get("subject_token_type") {
	case typeJWT, typeID:
		subject, why = p.checkSubject(form.Get("subject_token"), r)
	case typeAccess:
		if t := p.liveAccess(form.Get("subject_token")); t != nil {
			subject = t.subject
		} else {
			why = "the subject token is not valid"
		}
	default:
		why = "subject_token_type is not supported"
	}
	if why != "" {
		return nil, refuse("invalid_request", why) // §2.2.2
	}
	s := workload(client, subject, form)
	s.signedIn = p.now()
	switch wanted := form.Get("requested_token_type"); wanted {
	case "", typeAccess, typeJWT:
		answer := p.answerOf(s, b, p.settings.WorkloadRefreshTokens)
		if answer["issued_token_type"] = typeAccess; wanted != "" {
			answer["issued_token_type"] = wanted
		}
		override(answer, p.settings.TokenResponse)
		return answer, nil
	case typeRefresh:
		answer := p.answerOf(s, b, true)
		answer["issued_token_type"] = typeRefresh
		override(answer, p.settings.TokenResponse)
		return answer, nil
	case typeID: // §2.2.1: it comes as the access_token, and is no such token
		now, life := p.now(), p.settings.lifetime()
		answer := map[string]any{
			"access_token": p.remember(p.idToken(s, "", now, life, true)), "issued_token_type": typeID,
			"token_type": "N_A", "expires_in": int64(life.Seconds()),
		}
		override(answer, p.settings.TokenResponse)
		return answer, nil
	}
	return nil, refuse("invalid_request", "requested_token_type is not supported")
}

// answerOf issues tokens without an ID token: nobody signed in.
func (p *Provider) answerOf(s *session, b binding, refresh bool) map[string]any {
	scopes := slices.DeleteFunc(slices.Clone(s.scopes), func(scope string) bool {
		return scope == "openid" && !p.settings.WorkloadIDTokens
	})
	answer := p.issue(s, scopes, false, b)
	if !refresh {
		delete(answer, "refresh_token")
	}
	return answer
}

// checkSubject is RFC 7523 §3, for the tokens of the issuers that are trusted.
func (p *Provider) checkSubject(token string, r *http.Request) (subject, why string) {
	j, err := parseJWT(token)
	if err != nil {
		return "", "the subject token can't be read: " + err.Error()
	}
	issuer := p.trusted[text(j.claims, "iss")]
	if issuer == nil {
		return "", "the subject token's issuer is not trusted"
	}
	exp, expires := number(j.claims, "exp")
	nbf, delayed := number(j.claims, "nbf")
	aud, jti := texts(j.claims, "aud"), text(j.claims, "jti")
	allowed := append([]string{p.issuer, p.issuer + "/" + string(TokenEndpoint), addressOf(r)}, p.settings.SubjectAudience)
	switch {
	case j.verify(issuer.key.private.Public()) != nil:
		return "", "the subject token's signature is wrong"
	case !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(allowed, a) }):
		return "", "the subject token is meant for someone else"
	case !expires || age(p.now(), exp) >= 0:
		return "", "the subject token has expired"
	case delayed && age(p.now(), nbf) < 0:
		return "", "the subject token is not valid yet"
	case p.settings.SubjectTokenOnce && (jti == "" || p.jtis["subject "+jti]):
		return "", "the subject token was used before"
	case text(j.claims, "sub") == "":
		return "", "the subject token has no subject"
	}
	p.jtis["subject "+jti] = true
	return text(j.claims, "sub"), ""
}
