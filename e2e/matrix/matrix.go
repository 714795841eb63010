// Package matrix says which feature of the program is tested against which
// provider. The table of docs/providers.md is made from it, and a run of the
// tests is compared with it: no cell can claim a test that did not run.
package matrix

// Provider is a server that this project did not write.
type Provider struct {
	// Name and Version as their makers write them.
	Name, Version string
	// Test is the test whose subtests are the cells, Dir its folder below e2e.
	Test, Dir string
	// Tested are the features with a subtest of that name. The others the
	// provider does not offer.
	Tested []string
}

// Feature is one row of the table.
type Feature struct{ Name, Text string }

// Features are the rows, in the order of the page.
func Features() []Feature {
	return []Feature{
		{"code", "Sign-in with the authorization code grant"},
		{"pkce", "PKCE with S256, and the provider refuses a wrong verifier"},
		{"browser", "The provider's own pages, in a real Chromium"},
		{"device", "Sign-in with a code on another device (RFC 8628)"},
		{"device-complete-uri", "The device address that has the code in it"},
		{"no-browser-paste", "`login --no-browser`, with the address pasted"},
		{"refresh", "A new access token without a person"},
		{"rotation", "Each refresh token is used once"},
		{"reuse-detection", "A refresh token used twice ends the session at the provider, and here"},
		{"offline", "The provider is down: cached token, warning, and back"},
		{"forced-sign-out", "The provider ends the session: signed out here too"},
		{"revocation", "`logout` revokes the tokens (RFC 7009)"},
		{"end-session", "`logout --browser` ends the session at the provider"},
		{"iss", "The issuer in the authorization response (RFC 9207)"},
		{"par-offered", "Pushed authorization requests, offered (RFC 9126)"},
		{"par-required", "Pushed authorization requests, required"},
		{"form-post", "The response as a form (`response_mode=form_post`)"},
		{"dpop", "Tokens bound to a key (RFC 9449)"},
		{"dpop-nonce", "The provider demands a nonce in the proofs"},
		{"mtls", "Client authentication with a certificate (RFC 8705)"},
		{"private-key-jwt-rs256", "Client authentication with an RSA key (RFC 7523)"},
		{"private-key-jwt-es256", "Client authentication with an elliptic-curve key"},
		{"client-secret-basic", "Client secret in the header"},
		{"client-secret-post", "Client secret in the body"},
		{"resource-jwt", "A JWT access token for a resource (RFC 8707)"},
		{"audience", "The parameter `audience`"},
		{"opaque-access-token", "An access token that is no JWT"},
		{"max-age", "`max_age`, and the time of the sign-in is checked"},
		{"acr", "`acr_values`, and what came of it"},
		{"claims", "The parameter `claims`"},
		{"prompt", "`prompt`"},
		{"login-hint", "`login_hint`"},
		{"client-credentials", "A service with a secret, without a person"},
		{"jwt-bearer", "A service with a signed assertion (RFC 7523)"},
		{"token-exchange", "One token for another (RFC 8693)"},
		{"no-refresh-token", "The provider gives no refresh token"},
		{"narrower-scopes", "Fewer scopes than before: a warning"},
		{"refresh-lifetime", "The provider says how long the refresh token lives"},
		{"userinfo", "Claims of the person from the userinfo endpoint"},
		{"ipv6", "The provider at an IPv6 address"},
		{"tls-ca-file", "The provider's certificate of a private authority"},
	}
}
