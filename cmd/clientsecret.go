package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// A client secret in the credential store lies beside the session's key, under
// a name of its own: it is the client's, and outlives every session.

// secretName is the secret's name in the store. It goes by the client and not
// by the grant, which changes nothing about the secret.
func secretName(p *profile) string {
	return session.SessionID(p.name, p.text("issuer"), p.text("client_id")) + "-client-secret"
}

// storedSecret gives the way to a client secret in the credential store.
func (a *app) storedSecret(p *profile) func(context.Context) (oidcflow.Secret, error) {
	var mu sync.Mutex
	var known oidcflow.Secret
	return func(ctx context.Context) (oidcflow.Secret, error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !a.entered.IsZero():
			return a.entered, nil
		case !known.IsZero():
			return known, nil
		}
		keychain, err := a.keychain(p)
		if err != nil {
			return oidcflow.Secret{}, err
		}
		secret, err := keychain.Get(ctx, secretName(p))
		switch {
		case errors.Is(err, cache.ErrNotFound), err == nil && len(secret) == 0:
			return oidcflow.Secret{}, usageError{
				message: fmt.Sprintf("profile %s: there is no client secret in the credential store (%s)", p.name, keychain.Name()),
				hint:    fmt.Sprintf("run 'oidc-cred login --profile %s --client-secret-keychain', which asks for it", p.name),
			}
		case err != nil:
			return oidcflow.Secret{}, storeUnusable(p, err)
		}
		known = oidcflow.NewSecret(string(secret))
		return known, nil
	}
}

// takeClientSecret asks for the client secret where login was told to: on the
// terminal, else it is the first line of stdin.
func (a *app) takeClientSecret(c *cobra.Command, p *profile) error {
	f := c.Flags().Lookup("client-secret-keychain")
	if f == nil || !f.Changed || !p.on("client_secret_keychain") {
		return nil
	}
	var secret string
	var err error
	if isTerminal(a.in) {
		secret, err = a.askSecret(fmt.Sprintf("Client secret of %s at %s: ", oneLine(p.text("client_id")), hostOf(p.text("issuer"))))
	} else {
		secret, err = firstLine(a.in)
	}
	if err == nil {
		err = checkOneLine(secret)
	}
	if err != nil {
		return usageError{message: "--client-secret-keychain: the client secret: " + err.Error(), hint: "type it at the prompt, or give it on the first line of stdin"}
	}
	a.entered = oidcflow.NewSecret(secret)
	return nil
}

// maxSecretLine bounds what is read of stdin.
const maxSecretLine = 16 << 10

// firstLine reads a line and not a byte more: what follows may be a redirect
// URL that somebody pastes.
func firstLine(in io.Reader) (string, error) {
	if in == nil {
		return "", errors.New("there is no stdin")
	}
	var line strings.Builder
	one := make([]byte, 1)
	for {
		n, err := in.Read(one)
		switch {
		case n == 1 && one[0] == '\n', errors.Is(err, io.EOF):
			secret := strings.TrimSuffix(line.String(), "\r")
			if secret == "" {
				return "", errors.New("stdin has none")
			}
			return secret, nil
		case err != nil:
			return "", err
		case n == 1:
			line.WriteByte(one[0])
		}
		if line.Len() > maxSecretLine {
			return "", errors.New("the line is too long")
		}
	}
}

// keepClientSecret puts the secret that was given into the store, once it has
// proved right, and notes in a saved profile that it is there.
func (a *app) keepClientSecret(ctx context.Context, p *profile) error {
	if a.entered.IsZero() {
		return nil
	}
	keychain, err := a.keychain(p)
	if err != nil {
		return err
	}
	if err := keychain.Set(ctx, secretName(p), []byte(a.entered.Reveal())); err != nil {
		return storeUnusable(p, err)
	}
	if p.saved && a.config.profiles[p.name]["client_secret_keychain"] != "true" {
		if err := saveProfile(a.paths.config, p.name, map[string]any{"client_secret_keychain": "true"}); err != nil {
			return failure{err: fmt.Errorf("save profile %s: %w", p.name, err), hint: "check the owner and the permissions of " + a.paths.config}
		}
	}
	return nil
}

// forgetClientSecret removes the secret from the store.
func (a *app) forgetClientSecret(ctx context.Context, p *profile) error {
	if !p.on("client_secret_keychain") {
		return nil
	}
	keychain, err := a.keychain(p)
	if err != nil {
		return err
	}
	if err := keychain.Remove(ctx, secretName(p)); err != nil {
		return storeUnusable(p, err)
	}
	return nil
}

// storeFailure is a credential store that can't be used. It says nothing about
// the provider, so no session ends and no outage begins with it.
type storeFailure struct{ err *session.Error }

func (e storeFailure) Error() string       { return e.err.Error() }
func (e storeFailure) Unwrap() error       { return e.err }
func (e storeFailure) Configuration() bool { return true }

func storeUnusable(p *profile, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := &session.Error{Kind: session.StoreUnusable, Profile: p.name, Message: "the client secret of profile " + p.name + ": " + err.Error(), Err: err}
	var known *cache.KeychainError
	if errors.As(err, &known) {
		e.Hint = known.Hint()
	}
	if e.Hint == "" {
		e.Hint = "'oidc-cred doctor' checks the credential store"
	}
	return storeFailure{e}
}
