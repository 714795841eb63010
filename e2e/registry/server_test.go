package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/auth"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	jose "github.com/go-jose/go-jose/v4"
	"github.com/sirupsen/logrus"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// audience is what tokens for the registry are issued for, RFC 8707.
const audience = "https://registry.test"

// How the registry learns who asks.
const (
	// byToken: a Bearer challenge leads to a token server, which takes the
	// access token as a password and gives a token of the registry's own.
	byToken = "token server"
	// byPassword: the registry itself takes the access token as a password.
	byPassword = "password"
)

// registry is distribution's registry, over TLS. With a token server anybody may
// pull what is in public/.
type registry struct {
	Host string // 127.0.0.1:port
	cert *harness.Certificate

	verifier *oidc.IDTokenVerifier
	issuer   *tokenIssuer

	mu       sync.Mutex
	refuse   map[string]bool
	strict   bool // every token is refused
	lenient  bool // an expired one is not
	identity bool // a login is answered with a token of the registry's own
	tokens   []string
	users    []string
	refused  int
}

func newRegistry(t *testing.T, p *harness.Provider, how string) *registry {
	t.Helper()
	logrus.SetOutput(io.Discard)
	s := &registry{cert: harness.NewCertificate(t), refuse: map[string]bool{}}
	// The keys are read once, here: the provider may be down later.
	s.verifier = oidc.NewVerifier(p.Issuer, p.Keys(t), &oidc.Config{ClientID: audience, SkipExpiryCheck: true})
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert.TLS}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(t.Output(), "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	s.issuer = newTokenIssuer(t)

	config := &configuration.Configuration{
		Storage: configuration.Storage{"inmemory": nil, "delete": {"enabled": true}},
		Auth:    configuration.Auth{"password": {"check": s}},
	}
	if how == byToken {
		config.Auth = configuration.Auth{"token": {
			"realm": "", "autoredirect": true, "autoredirectpath": "/token", "service": "registry", "issuer": "token server",
			"jwks": s.issuer.jwks, "signingalgorithms": []any{"ES256"},
		}}
	}
	config.HTTP.Secret = "of this test"
	config.Log.Level, config.Log.AccessLog.Disabled = "panic", true
	mux.Handle("/v2/", handlers.NewApp(context.Background(), config))
	mux.HandleFunc("/token", s.token)
	return s
}

// person is bob with a password of his own, beside the tokens.
const person, personsPassword = "bob", "bobs-password"

// accepts takes an access token as the password of any user.
func (s *registry) accepts(user, password string) bool {
	if user == person && password == personsPassword {
		return true
	}
	parsed, err := s.verifier.Verify(context.Background(), password)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.strict || s.refuse[password] || !s.lenient && time.Now().After(parsed.Expiry) {
		s.refused++
		return false
	}
	s.tokens, s.users = append(s.tokens, password), append(s.users, user)
	return true
}

// token is the token server, as distribution's documentation describes it.
func (s *registry) token(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	if r.Method == http.MethodPost && r.FormValue("grant_type") == "password" {
		user, password, given = r.FormValue("username"), r.FormValue("password"), true
	}
	if given && !s.accepts(user, password) {
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}`, http.StatusUnauthorized)
		return
	}
	var scopes []string
	if err := r.ParseForm(); err == nil {
		for _, scope := range r.Form["scope"] {
			scopes = append(scopes, strings.Fields(scope)...)
		}
	}
	raw := s.issuer.issue(user, scopes, given)
	answer := map[string]any{"token": raw, "access_token": raw, "expires_in": 60, "issued_at": time.Now().UTC()}
	s.set(func(s *registry) {
		if s.identity && r.FormValue("offline_token") == "true" {
			answer["refresh_token"] = "the registry's own token"
		}
	})
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// Authorized implements auth.AccessController for the registry that asks for
// a password itself.
func (s *registry) Authorized(r *http.Request, _ ...auth.Access) (*auth.Grant, error) {
	user, password, given := r.BasicAuth()
	if given && s.accepts(user, password) {
		return &auth.Grant{User: auth.UserInfo{Name: user}}, nil
	}
	return nil, basicChallenge{}
}

type basicChallenge struct{}

func (basicChallenge) Error() string { return "a user name and password are required" }

func (basicChallenge) SetHeaders(_ *http.Request, w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
}

func init() {
	if err := auth.Register("password", func(options map[string]any) (auth.AccessController, error) {
		return options["check"].(*registry), nil
	}); err != nil {
		panic(err)
	}
}

// tokenIssuer signs the registry's own tokens.
type tokenIssuer struct {
	signer jose.Signer
	jwks   string // the file with its key
}

func newTokenIssuer(t *testing.T) *tokenIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "1", Algorithm: "ES256", Use: "sig"}
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	i := &tokenIssuer{jwks: filepath.Join(t.TempDir(), "jwks.json")}
	if err := os.WriteFile(i.jwks, data, 0o600); err != nil {
		t.Fatal(err)
	}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// issue grants a known user everything, and others a pull of what is public.
func (i *tokenIssuer) issue(user string, scopes []string, known bool) string {
	var access []map[string]any
	for _, scope := range scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		at := strings.LastIndex(rest, ":")
		if at < 0 {
			continue
		}
		name, actions := rest[:at], strings.Split(rest[at+1:], ",")
		switch {
		case known:
		case strings.HasPrefix(name, "public/"):
			actions = []string{"pull"}
		default:
			continue
		}
		access = append(access, map[string]any{"type": kind, "name": name, "actions": actions})
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": "token server", "sub": user, "aud": "registry", "access": access,
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		panic(err)
	}
	signed, err := i.signer.Sign(claims)
	if err != nil {
		panic(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return raw
}

// set changes the registry while it runs, or looks at it.
func (s *registry) set(change func(*registry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// seen are the tokens that were accepted since the last call, each once.
func (s *registry) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tokens []string
	for _, token := range s.tokens {
		if len(tokens) == 0 || tokens[len(tokens)-1] != token {
			tokens = append(tokens, token)
		}
	}
	s.tokens = nil
	return tokens
}

func (s *registry) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.refused
	s.refused = 0
	return n
}
