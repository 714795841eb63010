package oidctest

import (
	"crypto"
	"maps"
	"slices"
	"time"
)

// Options are fixed when the provider starts. The zero value is a provider on
// a free port of 127.0.0.1 with the public client "oidc-cred".
type Options struct {
	// Addr is where it listens; "" means 127.0.0.1:0, a free port.
	Addr string
	// Path comes before every path, and is the issuer's path: "/realms/demo".
	Path string
	// Clients may use the provider; none means [DefaultClient].
	Clients []Client
	// TLS makes it an https server; see [Provider.CA].
	TLS TLSMode
	// Algorithm signs ID tokens: RS256 (also if empty) or ES256.
	Algorithm string
	// Control opens the control API at /_control, so that another process can
	// use the switches. Anybody on this machine can then use them.
	Control bool
	// MutualTLS asks for client certificates; it needs TLS.
	MutualTLS MutualTLS
	// SubjectIssuers are trusted for the jwt-bearer and token-exchange grants,
	// beside the one of [Provider.SubjectToken].
	SubjectIssuers []*SubjectIssuer
	// Now is the provider's clock; nil means [time.Now].
	Now func() time.Time
	// Settings are what [Provider.Change] starts from.
	Settings Settings
}

// Client is a registered client.
type Client struct {
	// ID is the client_id.
	ID string
	// Secret is the client_secret; "" makes it a public client.
	Secret string
	// Auth is the only way in which the client may authenticate, by its name
	// in RFC 7591 §2. "" goes by what the client has: a key, a certificate, a
	// secret (client_secret_basic or client_secret_post), nothing.
	Auth string
	// Key checks client assertions, for private_key_jwt. KeyID is the kid that
	// they have to name; "" is any.
	Key   crypto.PublicKey
	KeyID string
	// CertificateSubject is the common name of the client's certificate, from
	// [Provider.ClientCertificate], for tls_client_auth.
	CertificateSubject string
	// Certificate is the client's own (PEM or DER), for
	// self_signed_tls_client_auth.
	Certificate []byte
	// NoDevice refuses the device grant to the client, with
	// unauthorized_client.
	NoDevice bool
	// PostLogoutRedirects are where a browser may go after the end of a
	// session. None allows any address on a loopback host.
	PostLogoutRedirects []string
	// Redirects are the allowed redirect URIs. On a loopback host the port is
	// free, RFC 8252 §7.3. None allows any http redirect to a loopback host.
	Redirects []string
}

// DefaultClient is the client of a provider whose [Options] name none.
var DefaultClient = Client{ID: "oidc-cred"}

// Settings change what the provider answers while nothing is broken. The zero
// value is a provider as a client wishes for: refresh tokens that rotate, an ID
// token with every answer, the iss parameter of RFC 9207, opaque access tokens.
//
// The fields that are maps override single members of an answer: a value
// replaces the member, nil removes it.
type Settings struct {
	// Lifetime is how long an access token lives; 0 means an hour. ID tokens
	// live as long.
	Lifetime time.Duration `json:"lifetime,omitempty"`
	// RefreshLifetime is how long a refresh token lives; 0 means for ever.
	RefreshLifetime time.Duration `json:"refresh_lifetime,omitempty"`
	// JWTAccessTokens makes access tokens JWTs, RFC 9068.
	JWTAccessTokens bool `json:"jwt_access_tokens,omitempty"`
	// TokenPadding makes every token this much longer, as real ones are.
	TokenPadding int `json:"token_padding,omitempty"`
	// NoRefreshTokens gives out no refresh token.
	NoRefreshTokens bool `json:"no_refresh_tokens,omitempty"`
	// OfflineAccessOnly gives a refresh token only to who asked for the scope
	// offline_access, OpenID Connect Core §11.
	OfflineAccessOnly bool `json:"offline_access_only,omitempty"`
	// NoRotation keeps one refresh token for the whole session.
	NoRotation bool `json:"no_rotation,omitempty"`
	// KeepFamily refuses a spent refresh token without revoking the session.
	// RFC 9700 §4.14.2 asks for the revocation.
	KeepFamily bool `json:"keep_family,omitempty"`
	// ReuseGrace is how long a spent refresh token still works.
	ReuseGrace time.Duration `json:"reuse_grace,omitempty"`
	// NoIDToken gives out no ID token at all.
	NoIDToken bool `json:"no_id_token,omitempty"`
	// NoIDTokenOnRefresh gives out none with a refresh, which OpenID Connect
	// Core §12.2 allows.
	NoIDTokenOnRefresh bool `json:"no_id_token_on_refresh,omitempty"`
	// NoIssParameter leaves iss out of the authorization response.
	NoIssParameter bool `json:"no_iss_parameter,omitempty"`
	// Subject is who signs in; "" means "user-1".
	Subject string `json:"subject,omitempty"`
	// Signature spoils the ID token's signature.
	Signature Signature `json:"signature,omitempty"`
	// IDTokenClaims override claims of ID tokens.
	IDTokenClaims map[string]any `json:"id_token_claims,omitempty"`
	// UserInfoClaims override claims of the userinfo answer.
	UserInfoClaims map[string]any `json:"user_info_claims,omitempty"`
	// TokenResponse overrides members of the token answer, such as expires_in.
	TokenResponse map[string]any `json:"token_response,omitempty"`
	// AuthorizationResponse overrides parameters of the redirect to the
	// client, such as state, iss and code.
	AuthorizationResponse map[string]any `json:"authorization_response,omitempty"`
	// Metadata overrides members of the discovery document.
	Metadata map[string]any `json:"metadata,omitempty"`
	// AuthorizeError refuses the sign-in with this OAuth error code, such as
	// access_denied, and AuthorizeErrorDescription.
	AuthorizeError            string `json:"authorize_error,omitempty"`
	AuthorizeErrorDescription string `json:"authorize_error_description,omitempty"`
	// Consent shows a page with two buttons instead of approving at once.
	Consent bool `json:"consent,omitempty"`
	// DeviceInterval is the polling interval in seconds; 0 leaves it out.
	DeviceInterval int `json:"device_interval,omitempty"`
	// DeviceLifetime is how long a device code lives; 0 means ten minutes.
	DeviceLifetime time.Duration `json:"device_lifetime,omitempty"`
	// DeviceApproveAfter approves a device code at this poll; 0 never.
	DeviceApproveAfter int `json:"device_approve_after,omitempty"`
	// DeviceSlowDown answers slow_down to who polls faster than the interval.
	DeviceSlowDown bool `json:"device_slow_down,omitempty"`
	// NoUserCodeInURL leaves verification_uri_complete out.
	NoUserCodeInURL bool `json:"no_user_code_in_url,omitempty"`

	// PushedRequests is RFC 9126. Required refuses the others.
	PushedRequests Offer `json:"pushed_requests,omitempty"`
	// RequestURILifetime is how long a pushed request waits; 0 means a minute.
	RequestURILifetime time.Duration `json:"request_uri_lifetime,omitempty"`
	// DPoP is RFC 9449 at the token endpoint, and for the tokens from it.
	DPoP Offer `json:"dpop,omitempty"`
	// DPoPNonce demands a nonce of the provider in each proof; with
	// DPoPNonceOnce each nonce is good for one proof.
	DPoPNonce     bool `json:"dpop_nonce,omitempty"`
	DPoPNonceOnce bool `json:"dpop_nonce_once,omitempty"`
	// DPoPMissing is the error for a request without the proof that is
	// required; "" means invalid_dpop_proof. Some say invalid_request.
	DPoPMissing string `json:"dpop_missing,omitempty"`
	// CertificateBound binds access tokens to the client certificate, RFC 8705
	// §3.
	CertificateBound bool `json:"certificate_bound,omitempty"`
	// AssertionAudience is whom a client assertion must be meant for: issuer,
	// token_endpoint or this text. "" takes the issuer and the endpoint.
	AssertionAudience string `json:"assertion_audience,omitempty"`
	// FormPost answers every authorization request by form_post; without it
	// only those that ask for it.
	FormPost bool `json:"form_post,omitempty"`
	// RefreshExpiry names the member that says how long the refresh token
	// lives: refresh_expires_in or refresh_token_expires_in. It needs a
	// RefreshLifetime.
	RefreshExpiry string `json:"refresh_expiry,omitempty"`
	// RefreshScopes are all that is left at a refresh; nil leaves all.
	RefreshScopes []string `json:"refresh_scopes,omitempty"`
	// SignedInAgo is how long ago the person gave the password, for auth_time.
	// max_age and prompt=login ask again, unless IgnoreMaxAge.
	SignedInAgo  time.Duration `json:"signed_in_ago,omitempty"`
	IgnoreMaxAge bool          `json:"ignore_max_age,omitempty"`
	// ACR is the acr claim; "" leaves it out. A value that was asked for and
	// is among ACRValues comes instead.
	ACR       string   `json:"acr,omitempty"`
	ACRValues []string `json:"acr_values,omitempty"`
	// WorkloadRefreshTokens and WorkloadIDTokens come with grants without a
	// person too.
	WorkloadRefreshTokens bool `json:"workload_refresh_tokens,omitempty"`
	WorkloadIDTokens      bool `json:"workload_id_tokens,omitempty"`
	// SubjectAudience is another audience that subject tokens may be meant
	// for; SubjectTokenOnce takes each of them once.
	SubjectAudience  string `json:"subject_audience,omitempty"`
	SubjectTokenOnce bool   `json:"subject_token_once,omitempty"`
	// EndSessionRevokes ends all sessions of the person whose ID token is the
	// hint. EndSessionResponse overrides the parameters of the way back.
	EndSessionRevokes  bool           `json:"end_session_revokes,omitempty"`
	EndSessionResponse map[string]any `json:"end_session_response,omitempty"`
	// DeviceError refuses every device authorization with this code.
	DeviceError string `json:"device_error,omitempty"`
	// DeviceResponse overrides members of the device authorization answer, such
	// as user_code and verification_uri.
	DeviceResponse map[string]any `json:"device_response,omitempty"`
	// CaptivePortal redirects everything to another host that shows a page.
	CaptivePortal bool `json:"captive_portal,omitempty"`
}

// clone shares nothing with s, so that a request can read it without a lock.
func (s Settings) clone() Settings {
	s.IDTokenClaims = maps.Clone(s.IDTokenClaims)
	s.UserInfoClaims = maps.Clone(s.UserInfoClaims)
	s.TokenResponse = maps.Clone(s.TokenResponse)
	s.AuthorizationResponse = maps.Clone(s.AuthorizationResponse)
	s.Metadata = maps.Clone(s.Metadata)
	s.EndSessionResponse = maps.Clone(s.EndSessionResponse)
	s.DeviceResponse = maps.Clone(s.DeviceResponse)
	s.RefreshScopes, s.ACRValues = slices.Clone(s.RefreshScopes), slices.Clone(s.ACRValues)
	return s
}

func (s Settings) lifetime() time.Duration {
	if s.Lifetime == 0 {
		return time.Hour
	}
	return s.Lifetime
}

func (s Settings) subject() string {
	if s.Subject == "" {
		return "user-1"
	}
	return s.Subject
}

// override replaces members of an answer; a nil value removes one.
func override(answer, with map[string]any) {
	for name, value := range with {
		if value == nil {
			delete(answer, name)
		} else {
			answer[name] = value
		}
	}
}
