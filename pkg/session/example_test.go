package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// A program signs somebody in, gets a token, and goes on with it while the
// provider is down.
func ExampleManager() {
	ctx := context.Background()
	clock := time.Now()
	now := func() time.Time { return clock }

	// The provider of this example runs on this machine and gives out tokens
	// that live for an hour.
	provider := oidctest.New(oidctest.Options{Now: now})
	defer provider.Close()

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// The key of the session goes to a file here; Backend "auto" is the
	// system's keychain.
	keychain, err := cache.OpenKeychain(cache.KeychainOptions{
		Backend: cache.File, Dir: dir,
		Passphrase: func(context.Context) (string, error) { return "a passphrase of at least 32 characters", nil },
	})
	if err != nil {
		panic(err)
	}
	httpClient, err := oidcflow.NewHTTPClient(oidcflow.HTTPOptions{UserAgent: "example/1"})
	if err != nil {
		panic(err)
	}
	policy := offline.DefaultPolicy()
	policy.Enabled = true // allow an expired token in an outage, for up to 7 days
	m := session.New(session.Config{
		Profile:   "example",
		Flow:      &oidcflow.Client{Issuer: provider.Issuer(), ClientID: "oidc-cred", Scopes: []string{"openid", "offline_access"}, HTTP: httpClient, Now: now},
		Store:     cache.New(cache.Options{Dir: dir, Keychain: keychain}),
		StoreName: keychain.Name(),
		Documents: cache.Documents{Dir: dir},
		Policy:    &policy,
		Now:       now,
		OnEvent:   func(e offline.Event) { fmt.Println("event:", e.Type) },
	})

	_, err = m.Token(ctx, session.Request{})
	fmt.Println("sign-in required:", session.KindOf(err) == session.SignInRequired)

	// Open would start the person's browser; this one says yes by itself.
	login, err := m.Login(ctx, session.LoginOptions{SignIn: oidcflow.SignInOptions{Open: oidctest.Browser(nil)}})
	if err != nil {
		panic(err)
	}
	fmt.Println("signed in:", login.Subject)

	// Two hours later the provider is down and the token has expired.
	provider.Down()
	clock = clock.Add(2 * time.Hour)
	token, err := m.Token(ctx, session.Request{})
	if err != nil {
		panic(err)
	}
	fmt.Println("expired:", token.Expired, "because of:", token.Reason)
	fmt.Println("the text redacts itself:", token.Value) // token.Value.Reveal() has it

	// Where only a live token will do.
	never := false
	_, err = m.Token(ctx, session.Request{Offline: &never})
	var refused *session.Error
	if errors.As(err, &refused) {
		fmt.Println("unreachable:", refused.Kind == session.Unreachable)
	}
	// Output:
	// sign-in required: true
	// event: signed_in
	// signed in: user-1
	// event: offline_mode_entered
	// event: offline_auth_warning
	// event: offline_auth_warning
	// expired: true because of: network_unavailable
	// the text redacts itself: [redacted]
	// unreachable: true
}
