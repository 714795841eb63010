package harness

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

// Keys are the provider's own, read now: it may be down later.
func (p *Provider) Keys(t testing.TB) oidc.KeySet {
	t.Helper()
	response, err := http.Get(p.Issuer + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	keys := &oidc.StaticKeySet{}
	for _, key := range set.Keys {
		keys.PublicKeys = append(keys.PublicKeys, key.Key)
	}
	return keys
}

// Claims reads a JWT without checking it.
func Claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatal("no JWT")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// HasWarning says whether one of the kind is among the warnings.
func HasWarning(warnings []Warning, kind string) bool {
	return slices.ContainsFunc(warnings, func(w Warning) bool { return w.Type == kind })
}
