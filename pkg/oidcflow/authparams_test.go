package oidcflow

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestCheckAuthParam(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		good        bool
	}{
		{"login_hint", "ann@example.com", true},
		{"acr_values", "a b", true},
		{"prompt", "login", true},
		{"prompt", "none", true},
		{"prompt", "login consent", true},
		{"prompt", "select_account", true},
		{"prompt", "create", true},
		{"prompt", "admin_consent", true},
		{"prompt", "none login", false},
		{"prompt", "login none", false},
		{"prompt", "", false},
		{"prompt", "login  consent", false},
		{"prompt", "login,consent", false},
		{"prompt", "Login", false},
		{"max_age", "0", true},
		{"max_age", "3600", true},
		{"max_age", "-1", false},
		{"max_age", "1h", false},
		{"max_age", "1.5", false},
		{"max_age", "", false},
		{"max_age", "99999999999999999999", false},
		{"response_mode", "query", true},
		{"response_mode", "form_post", true},
		{"response_mode", "fragment", false},
		{"response_mode", "query.jwt", false},
		{"claims", `{}`, true},
		{"claims", `{"userinfo":{"email":null},"id_token":{"acr":{"essential":true,"values":["a"]}}}`, true},
		{"claims", `{"id_token":{"acr":null}}`, true},
		{"claims", `[]`, false},
		{"claims", `null`, false},
		{"claims", ``, false},
		{"claims", `{"id_token":"acr"}`, false},
		{"claims", `{"userinfo":["email"]}`, false},
		{"claims", `{"id_token":{"acr":"mfa"}}`, false},
		{"claims", `{"id_token":{"acr":{"essential":true,"values":"mfa"}}}`, false},
		{"claims", `{"id_token":{"acr":{"essential":true,"value":["mfa"]}}}`, false},
		{"state", "x", false},
		{"redirect_uri", "x", false},
		{"code_challenge_method", "plain", false},
		{"client_secret", "x", false},
	} {
		if err := CheckAuthParam(tc.name, tc.value); (err == nil) != tc.good {
			t.Errorf("%s=%q: %v", tc.name, tc.value, err)
		}
	}
}

func TestEssentialACR(t *testing.T) {
	for claims, want := range map[string][]string{
		`{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}`:             {"a", "b"},
		`{"id_token":{"acr":{"essential":true,"value":"a"}}}`:                    {"a"},
		`{"id_token":{"acr":{"essential":true,"value":"a","values":["b"]}}}`:     {"b", "a"},
		`{"id_token":{"acr":{"essential":false,"values":["a"]}}}`:                nil,
		`{"id_token":{"acr":{"values":["a"]}}}`:                                  nil,
		`{"id_token":{"acr":{"essential":true}}}`:                                nil,
		`{"userinfo":{"acr":{"essential":true,"values":["a"]}}}`:                 nil,
		`{"id_token":{"ACR":{"essential":true,"values":["a"]}},"id_Token":null}`: nil,
	} {
		if got, err := essentialACR(claims); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", claims, got, err)
		}
	}
}

func FuzzClaimsParameter(f *testing.F) {
	f.Add(`{"id_token":{"acr":{"essential":true,"values":["a"],"value":"b"}}}`)
	f.Add(`{"id_token":[1]}`)
	f.Fuzz(func(t *testing.T, claims string) {
		got, err := essentialACR(claims)
		if _, bad := parseObject([]byte(claims)); bad != nil && err == nil || err != nil && got != nil {
			t.Fatalf("%q: %q, %v", claims, got, err)
		}
	})
}

// How and when the person was authenticated is checked at the sign-in, as far as
// auth_params asks for it.
func TestVerifyAuthentication(t *testing.T) {
	const essential = `{"id_token":{"acr":{"essential":true,"values":["mfa","hwk"]}}}`
	at := func(ago time.Duration) int64 { return testNow.Add(-ago).Unix() }
	for _, tc := range []struct {
		name   string
		params map[string]string
		claims map[string]any
		x      Expect
		rule   string
	}{
		{"nothing asked", nil, map[string]any{"acr": "pwd"}, Expect{}, ""},
		{"acr", map[string]string{"claims": essential}, map[string]any{"acr": "hwk"}, Expect{}, ""},
		{"other acr", map[string]string{"claims": essential}, map[string]any{"acr": "pwd\x1b[31m"}, Expect{}, "acr"},
		{"no acr", map[string]string{"claims": essential}, nil, Expect{}, "acr"},
		{"acr of another kind", map[string]string{"claims": essential}, map[string]any{"acr": []string{"mfa"}}, Expect{}, "acr"},
		{"no acr after a refresh", map[string]string{"claims": essential}, nil, Expect{Refresh: true}, ""},
		{"acr_values is a wish", map[string]string{"acr_values": "mfa"}, map[string]any{"acr": "pwd"}, Expect{}, ""},

		{"recent", map[string]string{"max_age": "600"}, map[string]any{"auth_time": at(5 * time.Minute)}, Expect{}, ""},
		{"just so", map[string]string{"max_age": "600"}, map[string]any{"auth_time": at(11 * time.Minute)}, Expect{}, ""},
		{"long ago", map[string]string{"max_age": "600"}, map[string]any{"auth_time": at(11*time.Minute + time.Second)}, Expect{}, "auth_time"},
		{"long ago, a wish of another", nil, map[string]any{"auth_time": at(time.Hour)}, Expect{}, ""},
		{"long ago, refresh", map[string]string{"max_age": "600"}, map[string]any{"auth_time": at(time.Hour)}, Expect{Refresh: true}, ""},
		{"missing", map[string]string{"max_age": "600"}, nil, Expect{}, "auth_time"},
		{"null", map[string]string{"max_age": "600"}, map[string]any{"auth_time": nil}, Expect{}, "auth_time"},
		{"missing, refresh", map[string]string{"max_age": "600"}, nil, Expect{Refresh: true}, ""},
		{"text", map[string]string{"max_age": "600"}, map[string]any{"auth_time": "now"}, Expect{}, "format"},
		{"absurd", map[string]string{"max_age": "600"}, map[string]any{"auth_time": -1e300}, Expect{}, "format"},
		{"fraction", map[string]string{"max_age": "600"}, map[string]any{"auth_time": float64(at(0)) + 0.5}, Expect{}, ""},
		{"anew", map[string]string{"max_age": "0"}, map[string]any{"auth_time": at(30 * time.Second)}, Expect{}, ""},
		{"not anew", map[string]string{"max_age": "0"}, map[string]any{"auth_time": at(2 * time.Minute)}, Expect{}, "auth_time"},
		{"anew, by a slow person", map[string]string{"max_age": "0"}, map[string]any{"auth_time": at(4 * time.Minute)}, Expect{Asked: testNow.Add(-5 * time.Minute)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := testClient()
			c.AuthParams = tc.params
			md := &Metadata{Issuer: testIssuer}
			raw := rs256().sign(t, claimsOf(tc.claims))
			_, err := c.VerifyIDToken(md, jwksOf(t, rs256().jwk()), raw, tc.x)
			var wrong *IDTokenError
			if (err == nil) != (tc.rule == "") || err != nil && (!errors.As(err, &wrong) || wrong.Rule != tc.rule || wrong.ClockRelated()) {
				t.Errorf("%v", err)
			}
		})
	}
	// auth_params that can't be read are never as if nothing was asked.
	for name, value := range map[string]string{"claims": "x", "max_age": "x"} {
		c := testClient()
		c.AuthParams = map[string]string{name: value}
		if _, err := c.VerifyIDToken(&Metadata{Issuer: testIssuer}, jwksOf(t, rs256().jwk()), rs256().sign(t, claimsOf(map[string]any{"auth_time": at(0), "acr": "x"})), Expect{}); err == nil {
			t.Errorf("%s was ignored", name)
		}
		if _, err := c.authorize(&Metadata{Issuer: testIssuer, AuthorizationEndpoint: testIssuer}, DefaultRedirect); err == nil {
			t.Errorf("%s was sent", name)
		}
	}
}

func TestPromptNoneHint(t *testing.T) {
	for code, want := range map[string]bool{"login_required": true, "interaction_required": true, "consent_required": true, "access_denied": false} {
		if got := (&AuthorizationError{Code: code}).Hint() != ""; got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
}
