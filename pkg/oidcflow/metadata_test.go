package oidcflow

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func document(changes map[string]any) map[string]any {
	doc := map[string]any{
		"issuer":                 "https://id.example.com",
		"authorization_endpoint": "https://id.example.com/authorize?tenant=a",
		"token_endpoint":         "https://id.example.com/token",
		"jwks_uri":               "https://keys.example.net/jwks",
	}
	for k, v := range changes {
		if v == nil {
			delete(doc, k)
		} else {
			doc[k] = v
		}
	}
	return doc
}

func TestParseMetadata(t *testing.T) {
	raw := mustJSON(t, document(map[string]any{
		"userinfo_endpoint":                              "https://id.example.com/userinfo",
		"revocation_endpoint":                            "https://id.example.com/revoke",
		"end_session_endpoint":                           "https://id.example.com/logout",
		"device_authorization_endpoint":                  "https://id.example.com/device",
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_post"},
		"authorization_response_iss_parameter_supported": true,
		"something_else":                                 map[string]any{"issuer": "x"},
	}))
	md, err := ParseMetadata(raw, "https://id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if md.AuthorizationEndpoint != "https://id.example.com/authorize?tenant=a" || md.TokenEndpoint != "https://id.example.com/token" ||
		md.JWKSURI != "https://keys.example.net/jwks" || md.UserinfoEndpoint == "" || md.RevocationEndpoint == "" ||
		md.EndSessionEndpoint == "" || md.DeviceAuthorizationEndpoint == "" || !md.AuthorizationResponseIssParameterSupported ||
		!slices.Equal(md.IDTokenSigningAlgs, []string{"ES256"}) || !slices.Equal(md.TokenEndpointAuthMethods, []string{"client_secret_post"}) {
		t.Errorf("%+v", md)
	}
	if string(md.Raw) != string(raw) {
		t.Error("the document itself is not kept")
	}
}

func TestParseMetadataRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change map[string]any
		field  string
	}{
		{"no issuer", map[string]any{"issuer": nil}, "issuer"},
		{"another issuer", map[string]any{"issuer": "https://evil.example"}, "issuer"},
		{"a slash more", map[string]any{"issuer": "https://id.example.com/"}, "issuer"},
		{"other case", map[string]any{"issuer": "https://ID.example.com"}, "issuer"},
		{"issuer in another case of its name", map[string]any{"issuer": nil, "Issuer": "https://id.example.com"}, "issuer"},
		{"issuer is a list", map[string]any{"issuer": []string{"https://id.example.com"}}, "issuer"},
		{"template", map[string]any{"issuer": "https://id.example.com/{tenantid}"}, "issuer"},
		{"no token endpoint", map[string]any{"token_endpoint": nil}, "token_endpoint"},
		{"empty token endpoint", map[string]any{"token_endpoint": ""}, "token_endpoint"},
		{"no keys", map[string]any{"jwks_uri": nil}, "jwks_uri"},
		{"plain http", map[string]any{"token_endpoint": "http://id.example.com/token"}, "token_endpoint"},
		{"plain http of this machine", map[string]any{"token_endpoint": "http://127.0.0.1:8080/token"}, "token_endpoint"},
		{"plain http for keys", map[string]any{"jwks_uri": "http://id.example.com/jwks"}, "jwks_uri"},
		{"plain http for revocation", map[string]any{"revocation_endpoint": "http://id.example.com/r"}, "revocation_endpoint"},
		{"a file", map[string]any{"jwks_uri": "file:///etc/passwd"}, "jwks_uri"},
		{"javascript", map[string]any{"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"},
		{"relative", map[string]any{"authorization_endpoint": "/authorize"}, "authorization_endpoint"},
		{"without host", map[string]any{"authorization_endpoint": "https:///authorize"}, "authorization_endpoint"},
		{"fragment", map[string]any{"authorization_endpoint": "https://id.example.com/a#b"}, "authorization_endpoint"},
		{"user in the URL", map[string]any{"token_endpoint": "https://u:p@id.example.com/t"}, "token_endpoint"},
		{"control character", map[string]any{"end_session_endpoint": "https://id.example.com/\x1b[31m"}, "end_session_endpoint"},
		{"endpoint is a number", map[string]any{"userinfo_endpoint": 5}, "userinfo_endpoint"},
		{"list is a string", map[string]any{"id_token_signing_alg_values_supported": "RS256"}, "id_token_signing_alg_values_supported"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseMetadata(mustJSON(t, document(tc.change)), "https://id.example.com")
			var e *MetadataError
			if !errors.As(err, &e) || e.Field != tc.field {
				t.Fatalf("%v", err)
			}
			if strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("a control character in %q", err)
			}
		})
	}
	for _, raw := range []string{"", "null", "[]", `"x"`, "<html>", "{", `{"issuer":"https://id.example.com"} x`} {
		if _, err := ParseMetadata([]byte(raw), "https://id.example.com"); err == nil {
			t.Errorf("%q was taken", raw)
		}
	}
}

func TestParseMetadataIssuer(t *testing.T) {
	for issuer, good := range map[string]bool{
		"https://id.example.com":          true,
		"https://id.example.com/":         true,
		"https://id.example.com/tenant/a": true,
		"http://127.0.0.1:8080":           true,
		"http://[::1]:8080/x":             true,
		"http://localhost:8080":           true,
		"http://id.example.com":           false,
		"http://127.0.0.1.example.com":    false,
		"http://localhost.example.com":    false,
		"https://id.example.com?x=1":      false,
		"https://id.example.com?":         false,
		"https://id.example.com#x":        false,
		"https://id.example.com#":         false,
		"id.example.com":                  false,
		"":                                false,
	} {
		_, err := ParseMetadata(mustJSON(t, document(map[string]any{"issuer": issuer})), issuer)
		if (err == nil) != good {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
}

// A provider for tests on this machine has plain http endpoints.
func TestParseMetadataLoopback(t *testing.T) {
	doc := document(map[string]any{
		"issuer": "http://localhost:8080", "token_endpoint": "http://127.0.0.1:8080/token", "authorization_endpoint": nil,
	})
	if _, err := ParseMetadata(mustJSON(t, doc), "http://localhost:8080"); err != nil {
		t.Error(err)
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://id.example.com","token_endpoint":"https://id.example.com/t","jwks_uri":"https://id.example.com/j"}`))
	f.Add([]byte(`{"issuer":5}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		md, err := ParseMetadata(raw, "https://id.example.com")
		if err != nil {
			if err.Error() != "" && md != nil {
				t.Fatal("metadata and an error")
			}
			return
		}
		for _, e := range []string{md.AuthorizationEndpoint, md.TokenEndpoint, md.JWKSURI, md.UserinfoEndpoint, md.RevocationEndpoint, md.EndSessionEndpoint, md.DeviceAuthorizationEndpoint} {
			if e != "" && !strings.HasPrefix(strings.ToLower(e), "https://") {
				t.Fatalf("endpoint %q", e)
			}
		}
		if md.Issuer != "https://id.example.com" || md.TokenEndpoint == "" || md.JWKSURI == "" {
			t.Fatalf("%+v", md)
		}
	})
}
