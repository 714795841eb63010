package oidcflow

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// Metadata is what a provider says about itself, OpenID Connect Discovery
// §3, as far as this package goes by it. An endpoint that the provider does
// not have is "".
type Metadata struct {
	Issuer                      string
	AuthorizationEndpoint       string
	TokenEndpoint               string
	JWKSURI                     string
	UserinfoEndpoint            string
	RevocationEndpoint          string // RFC 8414 §2
	EndSessionEndpoint          string // OpenID Connect RP-Initiated Logout §2.1
	DeviceAuthorizationEndpoint string // RFC 8628 §4
	// PushedAuthorizationRequestEndpoint is where an authorization request
	// can be pushed, RFC 9126 §5.
	PushedAuthorizationRequestEndpoint string
	// RequirePushedAuthorizationRequests: it must be, RFC 9126 §5.
	RequirePushedAuthorizationRequests bool
	// MTLSEndpointAliases are the endpoints, by their names in the document,
	// that a client with a certificate uses instead, RFC 8705 §5.
	MTLSEndpointAliases map[string]string

	IDTokenSigningAlgs           []string
	TokenEndpointAuthMethods     []string // empty: client_secret_basic
	RevocationEndpointMethods    []string // empty: as at the token endpoint
	ScopesSupported              []string
	GrantTypesSupported          []string
	CodeChallengeMethods         []string // RFC 8414 §2
	TokenEndpointAuthSigningAlgs []string // for private_key_jwt
	DPoPSigningAlgs              []string // RFC 9449 §5.1; empty: no DPoP, as far as it says
	ResponseModes                []string
	PromptValues                 []string
	ACRValues                    []string
	// AuthorizationResponseIssParameterSupported: every authorization
	// response has an "iss", RFC 9207 §3.
	AuthorizationResponseIssParameterSupported bool

	// Raw is the document itself.
	Raw []byte
}

// MetadataError is a discovery document that can't be used.
type MetadataError struct {
	// Field is the member with the problem, or "".
	Field   string
	Problem string
}

// Error implements error.
func (e *MetadataError) Error() string {
	if e.Field == "" {
		return "discovery document: " + e.Problem
	}
	return fmt.Sprintf("discovery document: %s %s", e.Field, e.Problem)
}

// ParseMetadata reads a discovery document and checks it: its issuer is the
// one asked for (Discovery §4.3), the members that every provider must have
// are there, and every endpoint is https, or http where the provider itself
// runs on this machine.
func ParseMetadata(raw []byte, issuer string) (*Metadata, error) {
	if len(raw) > maxAnswer {
		return nil, &MetadataError{Problem: "is larger than 1 MiB"}
	}
	base, err := checkIssuer(issuer)
	if err != nil {
		return nil, err
	}
	o, err := parseObject(raw)
	if err != nil {
		return nil, &MetadataError{Problem: "is no JSON object"}
	}
	if got := o.text("issuer"); got == "" {
		return nil, &MetadataError{Field: "issuer", Problem: "is missing"}
	} else if got != issuer {
		return nil, &MetadataError{Field: "issuer", Problem: fmt.Sprintf("is %q, but %q was asked for", Clean(got), Clean(issuer))}
	}
	md := &Metadata{Issuer: issuer, Raw: slices.Clone(raw)}
	for _, e := range []struct {
		name     string
		to       *string
		required bool
	}{
		// The authorization endpoint is missed where it is needed: a provider
		// for the device grant alone has none.
		{"authorization_endpoint", &md.AuthorizationEndpoint, false},
		{"token_endpoint", &md.TokenEndpoint, true},
		{"jwks_uri", &md.JWKSURI, true},
		{"userinfo_endpoint", &md.UserinfoEndpoint, false},
		{"revocation_endpoint", &md.RevocationEndpoint, false},
		{"end_session_endpoint", &md.EndSessionEndpoint, false},
		{"device_authorization_endpoint", &md.DeviceAuthorizationEndpoint, false},
		{"pushed_authorization_request_endpoint", &md.PushedAuthorizationRequestEndpoint, false},
	} {
		if *e.to, err = o.endpoint(e.name, e.required, base); err != nil {
			return nil, err
		}
	}
	for _, l := range []struct {
		name string
		to   *[]string
	}{
		{"id_token_signing_alg_values_supported", &md.IDTokenSigningAlgs},
		{"token_endpoint_auth_methods_supported", &md.TokenEndpointAuthMethods},
		{"revocation_endpoint_auth_methods_supported", &md.RevocationEndpointMethods},
		{"scopes_supported", &md.ScopesSupported},
		{"grant_types_supported", &md.GrantTypesSupported},
		{"code_challenge_methods_supported", &md.CodeChallengeMethods},
	} {
		var ok bool
		if *l.to, ok = o.texts(l.name); !ok {
			return nil, &MetadataError{Field: l.name, Problem: "is no list of strings"}
		}
	}
	// What only helps to choose: where it is broken, it says nothing.
	for _, l := range []struct {
		name string
		to   *[]string
	}{
		{"token_endpoint_auth_signing_alg_values_supported", &md.TokenEndpointAuthSigningAlgs},
		{"dpop_signing_alg_values_supported", &md.DPoPSigningAlgs},
		{"response_modes_supported", &md.ResponseModes},
		{"prompt_values_supported", &md.PromptValues},
		{"acr_values_supported", &md.ACRValues},
	} {
		if list, ok := o.texts(l.name); ok {
			*l.to = list
		}
	}
	if md.MTLSEndpointAliases, err = o.aliases(base); err != nil {
		return nil, err
	}
	md.AuthorizationResponseIssParameterSupported = o.flag("authorization_response_iss_parameter_supported")
	md.RequirePushedAuthorizationRequests = o.flag("require_pushed_authorization_requests")
	return md, nil
}

// endpoint reads one. An address that must not be is fatal, also for an endpoint
// that a provider need not have: it is the sign of a document that somebody else
// wrote, or of a proxy before the provider that is set up wrongly, and then the
// others are no better. To go on without a revocation_endpoint, say, would make
// each sign-out one that the provider is not told of.
func (o object) endpoint(name string, required bool, issuer *url.URL) (string, error) {
	raw := o.text(name)
	switch {
	case !o.has(name) || raw == "" && string(o[name]) == `""`:
		if required {
			return "", &MetadataError{Field: name, Problem: "is missing"}
		}
		return "", nil
	case raw == "":
		return "", &MetadataError{Field: name, Problem: "is no string"}
	}
	u, err := checkEndpoint(raw)
	if err != nil {
		return "", &MetadataError{Field: name, Problem: fmt.Sprintf("%q %v", Clean(raw), err)}
	}
	// A provider elsewhere has no business with plain http ports of this
	// machine.
	if u.Scheme == "http" && !IsLoopback(issuer.Hostname()) {
		return "", &MetadataError{Field: name, Problem: fmt.Sprintf("%q is not https", Clean(raw))}
	}
	return raw, nil
}

// aliases reads the endpoints for clients with a certificate, RFC 8705 §5.
func (o object) aliases(issuer *url.URL) (map[string]string, error) {
	const member = "mtls_endpoint_aliases"
	if !o.has(member) {
		return nil, nil
	}
	inner, err := parseObject(o[member])
	if err != nil {
		return nil, &MetadataError{Field: member, Problem: "is no object"}
	}
	found := map[string]string{}
	for _, name := range []string{
		"token_endpoint", "userinfo_endpoint", "revocation_endpoint", "device_authorization_endpoint", "pushed_authorization_request_endpoint",
	} {
		alias, err := inner.endpoint(name, false, issuer)
		var wrong *MetadataError
		if errors.As(err, &wrong) {
			wrong.Field = member + "." + name
			return nil, wrong
		}
		if alias != "" {
			found[name] = alias
		}
	}
	return found, nil
}

// checkIssuer parses an issuer: https (or http on this machine), without
// query and fragment, OpenID Connect Core §2 "iss".
func checkIssuer(issuer string) (*url.URL, error) {
	u, err := checkEndpoint(issuer)
	if err == nil && (u.RawQuery != "" || u.ForceQuery) {
		err = errors.New("has a query")
	}
	if err != nil {
		return nil, fmt.Errorf("the issuer %q %w", Clean(issuer), err)
	}
	return u, nil
}
