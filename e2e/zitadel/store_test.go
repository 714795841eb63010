package zitadel

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The person, as the example's user store names and finds her. The device pages
// take the user's name for the subject, so both are the same here.
const (
	alice    = "alice"
	password = "a password of hers"
)

// The clients.
const (
	nativeID  = "oidc-cred"     // public, with an opaque access token
	jwtID     = "oidc-cred-jwt" // public, with a JWT access token
	basicID   = "with-secret"
	postID    = "with-secret-in-body"
	keyID     = "with-key"
	serviceID = "a-service"
	secret    = "a secret with: special +characters&"
	keyName   = "key-1"
)

// store is the example's storage in memory, with clients for what the library
// offers and the example's own clients don't show.
type store struct {
	*storage.Storage
	clients map[string]*client
	key     *rsa.PrivateKey // of keyID and serviceID

	mu     sync.Mutex
	narrow []string      // scopes that a refresh gives; nil: what was granted
	life   time.Duration // of an access token; 0: the example's five minutes
}

type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User         { return u[id] }
func (u users) GetUserByUsername(name string) *storage.User { return u[name] }
func (u users) ExampleClientID() string                     { return storage.ServiceUserID }

// client is one of the example's with other properties.
type client struct {
	*storage.Client
	auth   oidc.AuthMethod
	grants []oidc.GrantType
	access op.AccessTokenType
}

func (c *client) AuthMethod() oidc.AuthMethod         { return c.auth }
func (c *client) GrantTypes() []oidc.GrantType        { return c.grants }
func (c *client) AccessTokenType() op.AccessTokenType { return c.access }
func (c *client) PostLogoutRedirectURIs() []string    { return []string{"http://127.0.0.1/signed-out"} }

// RedirectURIGlobs let a confidential client have any loopback port, which this
// library grants without them to native clients alone (RFC 8252 §7.3).
func (c *client) RedirectURIGlobs() []string {
	if c.DevMode() {
		return []string{"http://127.0.0.1:*/callback"}
	}
	return nil
}

func (c *client) PostLogoutRedirectURIGlobs() []string { return nil }

var serviceKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newStore() *store {
	redirects := []string{"http://127.0.0.1/callback", "http://[::1]/callback"}
	native := []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode}
	s := &store{key: serviceKey(), clients: map[string]*client{
		nativeID:  {storage.NativeClient(nativeID, redirects...), oidc.AuthMethodNone, native, op.AccessTokenTypeBearer},
		jwtID:     {storage.NativeClient(jwtID, redirects...), oidc.AuthMethodNone, native, op.AccessTokenTypeJWT},
		basicID:   {storage.WebClient(basicID, secret, redirects...), oidc.AuthMethodBasic, append(native, oidc.GrantTypeTokenExchange), op.AccessTokenTypeBearer},
		postID:    {storage.WebClient(postID, secret, redirects...), oidc.AuthMethodPost, native, op.AccessTokenTypeBearer},
		keyID:     {storage.NativeClient(keyID, redirects...), oidc.AuthMethodPrivateKeyJWT, native, op.AccessTokenTypeBearer},
		serviceID: {storage.WebClient(serviceID, secret), oidc.AuthMethodBasic, []oidc.GrantType{oidc.GrantTypeClientCredentials}, op.AccessTokenTypeJWT},
	}}
	plain := map[string]*storage.Client{}
	for id, c := range s.clients {
		plain[id] = c.Client
	}
	s.Storage = storage.NewStorageWithClients(users{alice: {
		ID: alice, Username: alice, Password: password, FirstName: "Alice", LastName: "Example",
		Email: "alice@example.test", EmailVerified: true, IsAdmin: true,
	}}, plain)
	return s
}

// GetClientByClientID gives the client as it is described here.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := s.clients[id]; c != nil {
		return c, nil
	}
	return nil, errors.New("client not found")
}

// GetKeyByIDAndClientID gives the public key for RFC 7523.
func (s *store) GetKeyByIDAndClientID(_ context.Context, name, id string) (*jose.JSONWebKey, error) {
	if name != keyName || id != keyID && id != serviceID {
		return nil, errors.New("key not found")
	}
	return &jose.JSONWebKey{KeyID: keyName, Use: "sig", Key: &s.key.PublicKey}, nil
}

// ClientCredentials checks a service that signs in for itself.
func (s *store) ClientCredentials(ctx context.Context, id, given string) (op.Client, error) {
	if id != serviceID || given != secret {
		return nil, errors.New("wrong service or secret")
	}
	return s.GetClientByClientID(ctx, id)
}

// ClientCredentialsTokenRequest says what such a service gets.
func (s *store) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{id}, Scopes: scopes}, nil
}

// TokenRequestByRefreshToken takes scopes away when the test has said so.
func (s *store) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	request, err := s.Storage.TokenRequestByRefreshToken(ctx, token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.narrow != nil {
		request.SetCurrentScopes(slices.Clone(s.narrow))
	}
	return request, err
}

// CreateAccessAndRefreshTokens makes the token live as long as the test wants.
func (s *store) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (access, refresh string, expiry time.Time, err error) {
	access, refresh, expiry, err = s.Storage.CreateAccessAndRefreshTokens(ctx, request, current)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != 0 {
		expiry = time.Now().Add(s.life)
	}
	return access, refresh, expiry, err
}

func (s *store) lifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = d
}

func (s *store) narrowTo(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.narrow = scopes
}
