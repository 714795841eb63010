package cmd

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// checkClient is about what the client proves with who it is: its secret, key
// or certificate, and the token that a grant without a person begins with.
func (a *app) checkClient(ctx context.Context, p *profile) []finding {
	var found []finding
	if secret := a.clientSecret(p); secret != nil {
		found = append(found, a.checkSecretSource(ctx, p, secret))
	}
	if key := a.clientKey(p); key != nil {
		found = append(found, checkKey(ctx, p, key))
	}
	if p.has("client_certificate_file") {
		found = append(found, a.checkCertificate(p)...)
	}
	if source := a.subjectToken(p); source != nil {
		found = append(found, a.checkSubject(ctx, p, source))
	}
	return found
}

// broken is a check that failed with an error of this machine.
func broken(check string, err error) finding {
	f := finding{Check: check, Result: "problem", Detail: err.Error(), Hint: hintOf(err), code: exitUsage}
	if session.KindOf(err) == session.StoreUnusable {
		f.code = exitStore
	}
	return f
}

// checkSecretSource fetches the client secret, and shows nothing of it.
func (a *app) checkSecretSource(ctx context.Context, p *profile, secret func(context.Context) (oidcflow.Secret, error)) finding {
	if _, err := secret(ctx); err != nil {
		return broken("client secret", err)
	}
	from := "client_secret_command gives it"
	switch p.secretSources()[0] {
	case "client_secret_env":
		from = "it is in $" + p.text("client_secret_env")
	case "client_secret_keychain":
		from = "it is in the credential store"
	}
	return finding{Check: "client secret", Result: "ok", Detail: from}
}

func checkKey(ctx context.Context, p *profile, load func(context.Context) (*oidcflow.ClientKey, error)) finding {
	path := p.text("client_key_file")
	if _, err := load(ctx); err != nil {
		return broken("client key", err)
	}
	if f := openToOthers("client key", path); f != nil {
		return *f
	}
	return finding{Check: "client key", Result: "ok", Detail: path}
}

// openToOthers warns of a private key that others on this machine can read.
// Windows has no such bits.
func openToOthers(check, path string) *finding {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o044 == 0 {
		return nil
	}
	return &finding{
		Check: check, Result: "warning", Detail: fmt.Sprintf("%s can be read by others on this machine (mode %o)", path, info.Mode().Perm()),
		Hint: "run 'chmod 600 " + path + "'",
	}
}

// soon is how long before its end a certificate is warned of.
const soon = 30 * 24 * time.Hour

func (a *app) checkCertificate(p *profile) []finding {
	const check = "client certificate"
	c, err := a.clientCertificate(p)()
	if err != nil {
		return []finding{broken(check, err)}
	}
	leaf := c.Leaf
	f := finding{Check: check, Result: "ok", Detail: oidcflow.Clean(leaf.Subject.String()) + ", valid until " + leaf.NotAfter.UTC().Format(time.RFC3339)}
	switch now := a.now(); {
	case now.Before(leaf.NotBefore):
		f = finding{Check: check, Result: "problem", Detail: "it is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339), Hint: "set this machine's clock, or put another one into client_certificate_file", code: exitUsage}
	case leaf.NotAfter.Sub(now) < soon:
		f.Result, f.Hint = "warning", "it expires in "+offline.Short(leaf.NotAfter.Sub(now))+": get a new one"
	}
	found := []finding{f}
	if open := openToOthers("client certificate's key", p.text("client_certificate_key_file")); open != nil {
		found = append(found, *open)
	}
	return found
}

// checkSubject fetches the token that the grant begins with. What is shown of
// it are the claims that the provider's rules go by.
func (a *app) checkSubject(ctx context.Context, p *profile, source func(context.Context) (oidcflow.Secret, error)) finding {
	const check = "subject token"
	token, err := source(ctx)
	var local interface{ Configuration() bool }
	switch {
	case err != nil && errors.As(err, &local) && local.Configuration():
		return broken(check, err)
	case err != nil:
		f := broken(check, err)
		f.Detail, f.code = p.subjectSources()[0]+": "+offline.Describe(err), exitUnreachable
		if f.Hint == "" {
			f.Hint = networkHint(err)
		}
		return f
	}
	f := finding{Check: check, Result: "ok", Detail: p.subjectSources()[0] + " gives one"}
	claims, ok := claimsOf(token)
	if !ok {
		return f
	}
	f.Detail += fmt.Sprintf(": issuer %s, audience %s, subject %s", claims.Issuer, strings.Join(claims.Audience, " "), claims.Subject)
	if at := time.Unix(int64(claims.Expiry), 0); claims.Expiry > 0 && claims.Expiry < 1e12 && !at.After(a.now()) {
		f.Result, f.code = "problem", exitUsage
		f.Detail = "the token that " + p.subjectSources()[0] + " gives expired at " + at.UTC().Format(time.RFC3339)
		f.Hint = "whoever writes it has to renew it"
	}
	return f
}

// subjectClaims are what a platform says in its token.
type subjectClaims struct {
	Issuer   string
	Subject  string
	Audience []string
	Expiry   float64
}

// claimsOf reads a JWT (RFC 7519 §4.1) without checking it, which is the
// provider's business. Another kind of token is none.
func claimsOf(token oidcflow.Secret) (subjectClaims, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return subjectClaims{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return subjectClaims{}, false
	}
	var raw struct {
		Iss string  `json:"iss"`
		Sub string  `json:"sub"`
		Aud any     `json:"aud"`
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &raw) != nil {
		return subjectClaims{}, false
	}
	claims := subjectClaims{Issuer: oidcflow.Clean(raw.Iss), Subject: oidcflow.Clean(raw.Sub), Expiry: raw.Exp}
	switch aud := raw.Aud.(type) {
	case string:
		claims.Audience = []string{oidcflow.Clean(aud)}
	case []any:
		for _, one := range aud {
			if text, ok := one.(string); ok {
				claims.Audience = append(claims.Audience, oidcflow.Clean(text))
			}
		}
	}
	return claims, true
}
