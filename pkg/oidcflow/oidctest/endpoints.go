package oidctest

import (
	"net/http"
	"net/url"
	"slices"
)

// routes is the provider's handler below its path.
func (p *Provider) routes(path string) http.Handler {
	mux := http.NewServeMux()
	for e, work := range map[Endpoint]http.HandlerFunc{
		KeysEndpoint: p.jwks, AuthorizeEndpoint: p.authorize, TokenEndpoint: p.token,
		UserInfoEndpoint: p.userInfo, RevocationEndpoint: p.revoke, EndSessionEndpoint: p.endSession,
		DeviceEndpoint: p.authorizeDevice, PushedEndpoint: p.push,
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
		"response_modes_supported":                       []string{"query", "form_post"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{algorithm},
		"code_challenge_methods_supported":               []string{"S256"},
		"scopes_supported":                               []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                               []string{"sub", "name", "preferred_username", "email", "email_verified"},
		"authorization_response_iss_parameter_supported": !set.NoIssParameter,
	}
	p.describe(metadata, set)
	override(metadata, set.Metadata)
	writeJSON(w, http.StatusOK, metadata)
}

// describe adds what depends on settings and clients.
func (p *Provider) describe(metadata map[string]any, set Settings) {
	methods := []string{"none", "client_secret_basic", "client_secret_post"}
	for _, c := range p.clients {
		for _, m := range c.methods() {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
	}
	slices.Sort(methods[3:])
	metadata["token_endpoint_auth_methods_supported"] = methods
	if slices.Contains(methods, "private_key_jwt") {
		metadata["token_endpoint_auth_signing_alg_values_supported"] = []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"}
	}
	metadata["grant_types_supported"] = []string{
		"authorization_code", "refresh_token", deviceGrant, "client_credentials", jwtBearerGrant, tokenExchangeGrant,
	}
	if set.PushedRequests != Absent { // RFC 9126 §5
		metadata["pushed_authorization_request_endpoint"] = p.URL(PushedEndpoint)
		metadata["require_pushed_authorization_requests"] = set.PushedRequests == Required
	}
	if set.DPoP != Absent { // RFC 9449 §5.1
		metadata["dpop_signing_alg_values_supported"] = dpopAlgs
	}
	if set.CertificateBound { // RFC 8705 §3.3
		metadata["tls_client_certificate_bound_access_tokens"] = true
	}
	if len(set.ACRValues) > 0 {
		metadata["acr_values_supported"] = set.ACRValues
	}
	if p.mutual == MutualTLSAliases { // RFC 8705 §5
		aliases := map[string]string{}
		for name, e := range map[string]Endpoint{
			"token_endpoint": TokenEndpoint, "revocation_endpoint": RevocationEndpoint, "userinfo_endpoint": UserInfoEndpoint,
			"device_authorization_endpoint": DeviceEndpoint, "pushed_authorization_request_endpoint": PushedEndpoint,
		} {
			if metadata[name] != nil {
				aliases[name] = p.aliasURL(e)
			}
		}
		metadata["mtls_endpoint_aliases"] = aliases
	}
}

// aliasURL is the address of an endpoint where client certificates are asked
// for.
func (p *Provider) aliasURL(e Endpoint) string {
	u, err := url.Parse(p.URL(e))
	if err != nil {
		panic(err)
	}
	u.Host = p.aliasAddr
	return u.String()
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
	access := p.presented(w, r)
	if access == nil {
		return
	}
	set := p.Settings()
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
