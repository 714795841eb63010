package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// What the other tests rely on at the provider.
func TestProvider(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	var metadata struct {
		Issuer     string   `json:"issuer"`
		Challenges []string `json:"code_challenge_methods_supported"`
		Grants     []string `json:"grant_types_supported"`
		Iss        bool     `json:"authorization_response_iss_parameter_supported"`
		Revocation string   `json:"revocation_endpoint"`
		EndSession string   `json:"end_session_endpoint"`
		Device     string   `json:"device_authorization_endpoint"`
	}
	get := func() error {
		response, err := http.Get(p.Issuer + "/.well-known/openid-configuration")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return json.NewDecoder(response.Body).Decode(&metadata)
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	if metadata.Issuer != p.Issuer {
		t.Errorf("issuer %q, want %q", metadata.Issuer, p.Issuer)
	}
	if !slices.Equal(metadata.Challenges, []string{"S256"}) || !metadata.Iss || !slices.Contains(metadata.Grants, "refresh_token") ||
		metadata.Revocation == "" || metadata.EndSession == "" || metadata.Device == "" {
		t.Errorf("metadata %+v", metadata)
	}

	p.Down(t)
	if err := get(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a provider that is down answered: %v", err)
	}
	p.Up(t)
	if err := get(); err != nil {
		t.Errorf("back up: %v", err)
	}
}
