package matrix

// Providers are the columns of the table.
func Providers() []Provider {
	return []Provider{
		{
			Name: "oidc-provider", Version: "9.13.3", Test: "TestOIDCProvider", Dir: "e2e",
			Tested: []string{
				"code", "pkce", "browser", "device", "device-complete-uri", "no-browser-paste",
				"refresh", "rotation", "reuse-detection", "offline", "forced-sign-out", "revocation", "end-session",
				"iss", "par-offered", "par-required", "form-post", "dpop", "dpop-nonce", "mtls",
				"private-key-jwt-rs256", "private-key-jwt-es256", "client-secret-basic", "client-secret-post",
				"resource-jwt", "audience", "opaque-access-token", "max-age", "acr", "claims", "prompt", "login-hint",
				"client-credentials", "jwt-bearer", "token-exchange",
				"no-refresh-token", "narrower-scopes", "refresh-lifetime", "userinfo", "ipv6", "tls-ca-file",
			},
		},
		{
			Name: "Glewlwyd", Version: "2.7.5", Test: "TestGlewlwyd", Dir: "glewlwyd",
			Tested: []string{
				"code", "pkce", "browser", "device", "device-complete-uri", "no-browser-paste",
				"refresh", "rotation", "reuse-detection", "offline", "forced-sign-out", "revocation", "end-session",
				"iss", "par-offered", "par-required", "form-post", "dpop", "dpop-nonce", "mtls",
				"private-key-jwt-rs256", "private-key-jwt-es256", "client-secret-basic", "client-secret-post",
				"resource-jwt", "claims", "prompt", "login-hint", "client-credentials", "userinfo", "tls-ca-file",
			},
		},
		{
			Name: "zitadel/oidc", Version: "3.51.17", Test: "TestZitadel", Dir: "zitadel",
			Tested: []string{
				"code", "pkce", "browser", "device", "device-complete-uri", "no-browser-paste",
				"refresh", "rotation", "offline", "forced-sign-out", "revocation", "end-session", "form-post",
				"private-key-jwt-rs256", "client-secret-basic", "client-secret-post",
				"opaque-access-token", "max-age", "prompt", "client-credentials", "jwt-bearer", "token-exchange",
				"no-refresh-token", "narrower-scopes", "userinfo", "ipv6", "tls-ca-file",
			},
		},
	}
}
