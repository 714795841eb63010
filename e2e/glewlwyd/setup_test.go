package glewlwyd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// The person, and the clients.
const (
	alice    = "alice"
	password = "a password of hers"

	publicID  = "oidc-cred"
	basicID   = "with-secret"
	postID    = "with-secret-in-body"
	rsaID     = "with-rsa-key"
	ecID      = "with-ec-key"
	certID    = "with-certificate"
	serviceID = "a-service"
	secret    = "a-secret-without-special-characters" // this server does not decode RFC 6749 2.3.1's encoding
	resource  = "https://api.example.test/"
)

type object = map[string]any

// keys are one set for the whole test process.
var keys = sync.OnceValue(func() (k struct {
	server, rsa *rsa.PrivateKey
	ec          *ecdsa.PrivateKey
}) {
	var err error
	if k.server, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	return k
})

// options are what a test changes of the provider.
type options struct {
	plugin   object // parameters of the OpenID plugin
	client   object // of each client
	cert     *harness.Certificate
	clientCA string
}

// start runs a Glewlwyd with one OpenID plugin, its clients and alice, until the
// test ends. The redirect is one that the clients have: this server compares it
// with the port.
func start(t *testing.T, o options) (s *server, redirect string) {
	t.Helper()
	s = prepare(t, o.cert, o.clientCA)
	s.run(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.admin = &http.Client{Jar: jar, Transport: s.http, Timeout: 10 * time.Second}
	s.call(t, http.MethodPost, "/auth/", object{"username": "admin", "password": "password"})
	s.Issuer = s.URL + "/api/oidc"

	// With a password: this server takes the time of the sign-in from there.
	withPassword := object{"password_required": true, "password_max_age": 0}
	s.call(t, http.MethodPut, "/scope/openid", withPassword)
	for _, scope := range []string{"profile", "email", "offline_access"} {
		withPassword["name"], withPassword["display_name"] = scope, scope
		s.call(t, http.MethodPost, "/scope/", withPassword)
	}
	s.call(t, http.MethodPost, "/user/", object{
		"username": alice, "name": "Alice Example", "email": "alice@example.test", "password": password, "enabled": true,
		"scope": []string{"openid", "profile", "email", "offline_access", "g_profile"},
	})
	parameters := object{
		"iss": s.Issuer, "subject-type": "public", "jwks-private": serverKeys(t), "default-kid": "server", "jwks-show": true,
		"access-token-duration": 300, "refresh-token-duration": 3600, "code-duration": 60,
		"refresh-token-rolling": false, "refresh-token-one-use": "always", "client-refresh-token-one-use-parameter": "refresh-token-one-use",
		"allow-non-oidc": true, "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": true, "auth-type-token-enabled": false,
		"auth-type-implicit-enabled": false, "auth-type-none-enabled": false, "auth-type-password-enabled": false,
		"auth-type-client-enabled": true, "auth-type-device-enabled": true, "auth-type-refresh-enabled": true,
		"device-authorization-expiration": 60, "device-authorization-interval": 1,
		"pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true,
		"introspection-revocation-allowed": true, "introspection-revocation-allow-target-client": true,
		"session-management-allowed": true, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 2419200,
		"request-parameter-allow": true, "client-jwks-parameter": "jwks", "client-jwks_uri-parameter": "jwks_uri", "client-pubkey-parameter": "pubkey",
		"request-maximum-exp": 3600, "name-claim": "on-demand", "name-claim-scope": []string{"profile"}, "email-claim": "on-demand", "email-claim-scope": []string{"email"},
		"allowed-scope": []string{"openid", "profile", "email", "offline_access"}, "oauth-as-iss-id": true,
		"resource-allowed": true, "resource-scope": object{"openid": []string{resource}},
	}
	maps.Copy(parameters, o.plugin)
	s.call(t, http.MethodPost, "/mod/plugin/", object{"module": "oidc", "name": "oidc", "display_name": "OpenID", "parameters": parameters})

	s.allowList(t, "post_logout_redirect_uris")

	redirect = "http://127.0.0.1:" + strconv.Itoa(freePort(t)) + "/callback"
	for _, client := range clients(t, redirect) {
		maps.Copy(client, o.client)
		s.call(t, http.MethodPost, "/client/", client)
	}
	return s, redirect
}

// allowList makes a property of clients a list, which the database's module has
// for those alone that the package's schema names.
func (s *server) allowList(t *testing.T, property string) {
	t.Helper()
	var module object
	if err := json.Unmarshal(s.call(t, http.MethodGet, "/mod/client/database", nil), &module); err != nil {
		t.Fatal(err)
	}
	parameters, ok := module["parameters"].(object)
	if !ok {
		t.Fatalf("module %v", module)
	}
	format, ok := parameters["data-format"].(object)
	if !ok {
		t.Fatalf("module %v", module)
	}
	format[property] = object{"multiple": true, "read": true, "write": true}
	s.call(t, http.MethodPut, "/mod/client/database", module)
	s.call(t, http.MethodPut, "/mod/client/database/reset", nil)
}

// clients are those of every server.
func clients(t *testing.T, redirect string) []object {
	person := []string{"code", "refresh_token", "device_authorization"}
	jwks := func(key any, id, alg string) object {
		return object{"keys": []any{jwk(t, key, id, alg)}}
	}
	list := []object{
		{"client_id": publicID, "confidential": false},
		{"client_id": basicID, "confidential": true, "client_secret": secret, "token_endpoint_auth_method": []string{"client_secret_basic"}},
		{"client_id": postID, "confidential": true, "client_secret": secret, "token_endpoint_auth_method": []string{"client_secret_post"}},
		{"client_id": rsaID, "confidential": true, "jwks": jwks(keys().rsa.Public(), "rsa-1", "RS256"), "token_endpoint_auth_method": []string{"private_key_jwt"}},
		{"client_id": ecID, "confidential": true, "jwks": jwks(keys().ec.Public(), "ec-1", "ES256"), "token_endpoint_auth_method": []string{"private_key_jwt"}},
		{"client_id": certID, "confidential": true, "tls_client_auth_san_dns": certID + ".example.test", "token_endpoint_auth_method": []string{"tls_client_auth"}},
		{"client_id": serviceID, "confidential": true, "client_secret": secret, "token_endpoint_auth_method": []string{"client_secret_basic"},
			"authorization_type": []string{"client_credentials"}, "scope": []string{"email"}},
	}
	for _, client := range list {
		client["name"], client["enabled"] = client["client_id"], true
		client["redirect_uri"] = []string{redirect}
		client["post_logout_redirect_uris"] = []string{strings.Replace(redirect, "/callback", "/signed-out", 1)}
		if client["authorization_type"] == nil {
			client["authorization_type"] = person
		}
		if client["scope"] == nil {
			client["scope"] = []string{}
		}
	}
	return list
}

func serverKeys(t *testing.T) string {
	t.Helper()
	set, err := json.Marshal(object{"keys": []any{jwk(t, keys().server, "server", "RS256")}})
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

func jwk(t *testing.T, key any, id, alg string) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg, Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// call uses the server's admin API.
func (s *server) call(t *testing.T, method, path string, body object) []byte {
	t.Helper()
	status, answer := s.send(t, s.admin, method, s.URL+"/api"+path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d\n%s", method, path, status, answer)
	}
	return answer
}

func (s *server) send(t *testing.T, client *http.Client, method, address string, body object) (int, []byte) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// post sends a form as another program would.
func (s *server) post(t *testing.T, path string, form url.Values) (int, string) {
	t.Helper()
	client := &http.Client{Transport: s.http, Timeout: 10 * time.Second}
	response, err := client.PostForm(s.Issuer+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}
