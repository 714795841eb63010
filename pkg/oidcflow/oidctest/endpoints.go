package oidctest

import (
	"net/http"
	"net/url"
	"strings"
)

// routes is the provider's handler below its path.
func (p *Provider) routes(path string) http.Handler {
	mux := http.NewServeMux()
	for e, work := range map[Endpoint]http.HandlerFunc{
		KeysEndpoint: p.jwks, AuthorizeEndpoint: p.authorize, TokenEndpoint: p.token,
		UserInfoEndpoint: p.userInfo, RevocationEndpoint: p.revoke, EndSessionEndpoint: p.endSession,
		DeviceEndpoint: p.authorizeDevice,
	} {
		mux.Handle(path+"/"+string(e), p.endpoint(e, work))
	}
	mux.Handle(path+"/.well-known/openid-configuration", p.endpoint(DiscoveryEndpoint, p.discovery))
	mux.HandleFunc(path+"/decision", p.decide)
	mux.HandleFunc(path+"/device", p.devicePage)
	if p.control {
		mux.HandleFunc(path+"/_control", p.serveControl)
	}
	return mux
}

// discovery is OpenID Connect Discovery §3.
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	set, algorithm := p.settings.clone(), p.keys[0].algorithm
	p.mu.Unlock()
	metadata := map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.URL(AuthorizeEndpoint),
		"token_endpoint":                                 p.URL(TokenEndpoint),
		"jwks_uri":                                       p.URL(KeysEndpoint),
		"userinfo_endpoint":                              p.URL(UserInfoEndpoint),
		"revocation_endpoint":                            p.URL(RevocationEndpoint),
		"end_session_endpoint":                           p.URL(EndSessionEndpoint),
		"device_authorization_endpoint":                  p.URL(DeviceEndpoint),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token", deviceGrant},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{algorithm},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":               []string{"S256"},
		"scopes_supported":                               []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                               []string{"sub", "name", "preferred_username", "email", "email_verified"},
		"authorization_response_iss_parameter_supported": !set.NoIssParameter,
	}
	override(metadata, set.Metadata)
	writeJSON(w, http.StatusOK, metadata)
}

// jwks is RFC 7517 §5.
func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	keys := make([]map[string]any, 0, len(p.keys))
	for _, k := range p.keys {
		keys = append(keys, k.jwk())
	}
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

// userInfo is OpenID Connect Core §5.3, with the errors of RFC 6750 §3.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p.mu.Lock()
	access := p.liveAccess(token)
	set := p.settings.clone()
	p.mu.Unlock()
	if !strings.EqualFold(scheme, "Bearer") || access == nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		oauthError(w, http.StatusUnauthorized, "invalid_token", "the access token is not valid")
		return
	}
	claims := profile(access.session)
	claims["sub"] = access.subject
	override(claims, set.UserInfoClaims)
	writeJSON(w, http.StatusOK, claims)
}

// revoke is RFC 7009. A refresh token takes its session along, §2.1.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	client, bad := p.clientRequest(r)
	if bad == nil && r.PostForm.Get("token") == "" {
		bad = refuse("invalid_request", "no token")
	}
	if bad != nil {
		oauthError(w, bad.status, bad.code, bad.description)
		return
	}
	token := r.PostForm.Get("token")
	p.mu.Lock()
	if t := p.refreshes[token]; t != nil && t.client == client.ID {
		t.ended = true
	}
	if t := p.accesses[token]; t != nil && t.client == client.ID {
		t.revoked = true
	}
	p.mu.Unlock()
	w.WriteHeader(http.StatusOK) // §2.2: for an unknown token too
}

// endSession is OpenID Connect RP-Initiated Logout §2.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	if target, err := url.Parse(r.Form.Get("post_logout_redirect_uri")); err == nil && isLoopback(target.Hostname()) {
		query := target.Query()
		if state := r.Form.Get("state"); state != "" {
			query.Set("state", state)
		}
		target.RawQuery = query.Encode()
		http.Redirect(w, r, target.String(), http.StatusSeeOther)
		return
	}
	showPage(w, http.StatusOK, "Signed out", "You can close this page.", "")
}
