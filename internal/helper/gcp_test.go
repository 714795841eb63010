package helper

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestGCP(t *testing.T) {
	noExpiry := live("T1")
	noExpiry.Expiry = time.Time{}
	on := true
	for _, tt := range []struct {
		name    string
		env     map[string]string
		opt     GCPOptions
		token   *session.Token
		err     error
		offline *bool
		want    string
	}{
		{name: "by hand", want: `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"T1","expiration_time":1772370000}`},
		{name: "a JWT", env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": gcpJWT}, want: `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"T1","expiration_time":1772370000}`},
		{name: "the access token", opt: GCPOptions{Type: session.Access}, token: live("eyJhbGciOiJSUzI1NiJ9.e30.AA"), want: `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"eyJhbGciOiJSUzI1NiJ9.e30.AA","expiration_time":1772370000}`},
		{name: "an opaque access token", opt: GCPOptions{Type: session.Access}, want: `{"version":1,"success":false,"code":"USAGE","message":"the access token of profile work is no JWT`},
		{name: "one with dots", opt: GCPOptions{Type: session.Access}, token: live("a.b.c"), want: `{"version":1,"success":false,"code":"USAGE","message":"the access token of profile work is no JWT`},
		{name: "no expiry", token: noExpiry, want: `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"T1"}`},
		{name: "expired", token: expired("T1"), want: `{"version":1,"success":false,"code":"PROVIDER_UNREACHABLE","message":"the token expired 2 hours ago`},
		{name: "expired, and asked for", token: expired("T1"), offline: &on, want: `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"T1"}`},
		{name: "signed out", err: errSignIn, want: `{"version":1,"success":false,"code":"SIGN_IN_REQUIRED","message":"sign-in required for profile \"work\" (run`},
		{name: "SAML", env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": "urn:ietf:params:oauth:token-type:saml2"}, want: `{"version":1,"success":false,"code":"USAGE","message":"a token of type`},
		{name: "an ID token is asked for", env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": gcpIDToken}, opt: GCPOptions{Type: session.Access}, want: `{"version":1,"success":false,"code":"USAGE"`},
		{name: "interactive", env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE": "1"}, want: `{"version":1,"success":false,"code":"USAGE"`},
		{name: "revoke", env: map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_REVOKE": "1"}, want: `{"version":1,"success":false,"code":"USAGE"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tok := tt.token
			if tok == nil {
				tok = live("T1")
			}
			target := &Target{Source: &fakeSource{tokens: []*session.Token{tok}, err: tt.err}, Profile: "work", Offline: tt.offline, ServeStale: true}
			w := newWorld(target, "")
			w.env.Getenv = func(name string) string { return tt.env[name] }
			err := GCP(t.Context(), w.env, tt.opt)
			if err != nil || !strings.HasPrefix(w.out.String(), tt.want) || w.errs.Len() > 0 {
				t.Errorf("answer %q, %q, %v", w.out.String(), w.errs.String(), err)
			}
		})
	}
}

func FuzzGCPEnvironment(f *testing.F) {
	f.Add(gcpIDToken, "0", "0", "id")
	f.Add(gcpJWT, "", "", "access")
	f.Add("urn:x", "1", "1", "")
	f.Fuzz(func(t *testing.T, kind, interactive, revoke, wanted string) {
		target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}
		w := newWorld(target, "")
		w.env.Getenv = func(name string) string {
			return map[string]string{
				"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": kind, "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE": interactive, "GOOGLE_EXTERNAL_ACCOUNT_REVOKE": revoke,
			}[name]
		}
		if err := GCP(t.Context(), w.env, GCPOptions{Type: session.TokenType(wanted)}); err != nil {
			t.Fatal(err)
		}
		var answer gcpAnswer
		if err := json.Unmarshal(w.out.Bytes(), &answer); err != nil || answer.Version != 1 {
			t.Fatalf("answer %q, %v", w.out.String(), err)
		}
		ok := answer.IDToken == "T1" && (answer.TokenType == gcpIDToken || answer.TokenType == gcpJWT) && (kind == "" || answer.TokenType == kind)
		if answer.Success != ok || !ok && (answer.IDToken != "" || answer.Code == "" || answer.Message == "") {
			t.Errorf("answer %q", w.out.String())
		}
	})
}
