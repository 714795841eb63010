package harness

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Introspection is what the provider says about a token, RFC 7662.
type Introspection struct {
	Active    bool   `json:"active"`
	Subject   string `json:"sub"`
	Client    string `json:"client_id"`
	Scope     string `json:"scope"`
	TokenType string `json:"token_type"`
	Audience  any    `json:"aud"`
	// Bound names the key or the certificate that the token is bound to.
	Bound struct {
		Key         string `json:"jkt"`
		Certificate string `json:"x5t#S256"`
	} `json:"cnf"`
}

// Introspect asks an issuer about a token, opaque ones that is, as an API that
// was called with it.
func (p *Provider) Introspect(t testing.TB, issuer, token string) Introspection {
	t.Helper()
	form := url.Values{"token": {token}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"/token/introspection", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("api", url.QueryEscape(ConfidentialSecret))
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer Introspection
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("introspection: %s %v", response.Status, err)
	}
	return answer
}
