package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// metadata is what the provider says about itself.
type metadata struct {
	Issuer        string            `json:"issuer"`
	Challenges    []string          `json:"code_challenge_methods_supported"`
	Grants        []string          `json:"grant_types_supported"`
	Methods       []string          `json:"token_endpoint_auth_methods_supported"`
	Modes         []string          `json:"response_modes_supported"`
	ACRs          []string          `json:"acr_values_supported"`
	DPoP          []string          `json:"dpop_signing_alg_values_supported"`
	Iss           bool              `json:"authorization_response_iss_parameter_supported"`
	Claims        bool              `json:"claims_parameter_supported"`
	PARRequired   bool              `json:"require_pushed_authorization_requests"`
	CertBound     bool              `json:"tls_client_certificate_bound_access_tokens"`
	PAR           string            `json:"pushed_authorization_request_endpoint"`
	Revocation    string            `json:"revocation_endpoint"`
	Introspection string            `json:"introspection_endpoint"`
	EndSession    string            `json:"end_session_endpoint"`
	Device        string            `json:"device_authorization_endpoint"`
	UserInfo      string            `json:"userinfo_endpoint"`
	Token         string            `json:"token_endpoint"`
	Aliases       map[string]string `json:"mtls_endpoint_aliases"`
}

func discover(issuer string) (metadata, error) {
	client := http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // the test's own certificate
	}
	var md metadata
	response, err := client.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		return md, err
	}
	defer response.Body.Close()
	return md, json.NewDecoder(response.Body).Decode(&md)
}

// What the other tests rely on at the provider.
func TestProvider(t *testing.T) {
	w := newWorld(t)
	for kind, issuer := range w.Issuers {
		md, err := discover(issuer)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if md.Issuer != issuer {
			t.Errorf("%s: issuer %q, want %q", kind, md.Issuer, issuer)
		}
		if !slices.Equal(md.Challenges, []string{"S256"}) || !md.Iss || !md.Claims || !md.CertBound {
			t.Errorf("%s: metadata %+v", kind, md)
		}
		for _, endpoint := range []string{md.PAR, md.Revocation, md.Introspection, md.EndSession, md.Device, md.UserInfo} {
			if !strings.HasPrefix(endpoint, issuer+"/") {
				t.Errorf("%s: endpoint %q", kind, endpoint)
			}
		}
		for _, lists := range []struct{ have, want []string }{
			{md.Grants, []string{
				"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
				"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange",
			}},
			{md.Methods, []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}},
			{md.Modes, []string{"query", "form_post"}},
			{md.DPoP, []string{"ES256"}},
			{md.ACRs, []string{mfa}},
		} {
			for _, name := range lists.want {
				if !slices.Contains(lists.have, name) {
					t.Errorf("%s: no %s in %q", kind, name, lists.have)
				}
			}
		}
		if md.PARRequired != (kind == "strict") {
			t.Errorf("%s: pushed requests required: %t", kind, md.PARRequired)
		}
		if alias := md.Aliases["token_endpoint"]; (alias != "") != (kind == "tls") || alias == md.Token {
			t.Errorf("%s: alias %q of %s", kind, alias, md.Token)
		}
	}

	w.Down(t)
	if _, err := discover(w.Issuer); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a provider that is down answered: %v", err)
	}
	w.Up(t)
	if _, err := discover(w.Issuer); err != nil {
		t.Errorf("back up: %v", err)
	}
}
