package session_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// TestClientAssertedByAnother: a token that something else gave out
// authenticates the client, at the token endpoint and at the revocation, and a
// source that fails is never the provider's "no".
func TestClientAssertedByAnother(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldAt(t, oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", Key: key.Public()}}})
	w.scopes = []string{"api"}
	asked := 0
	var broken error
	w.workload = &session.Workload{Grant: session.GrantClientCredentials, SubjectToken: func(context.Context) (oidcflow.Secret, error) {
		asked++
		if broken != nil {
			return oidcflow.Secret{}, broken
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		if err != nil {
			return oidcflow.Secret{}, err
		}
		now := w.clock.Now()
		token, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: "oidc-cred", Subject: "oidc-cred", Audience: jwt.Audience{w.provider.Issuer()}, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
		}).Serialize()
		return oidcflow.NewSecret(token), err
	}}
	first := w.mustToken(session.Request{})
	w.clock.Add(2 * time.Hour)
	if second := w.mustToken(session.Request{}); second.Value.Equal(first.Value) || asked != 2 {
		t.Errorf("not renewed with an assertion of its own: %d assertions", asked)
	}

	w.clock.Add(2 * time.Hour)
	broken = errors.New("the source is out of order")
	if stale := w.mustToken(session.Request{}); !stale.Expired || !stale.Offline {
		t.Errorf("with a broken source the token is %+v", stale)
	}
	if s := w.status(); s.State != session.StateOffline {
		t.Errorf("status is %+v", s)
	}

	broken = nil
	if l := w.mustLogout(session.LogoutOptions{}); !l.Revoked {
		t.Errorf("logout is %+v", l)
	}
}
