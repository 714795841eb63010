package helper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// VaultOptions are the helper's flags; what is "" is the profile's.
type VaultOptions struct {
	// Role of the JWT auth method; "" leaves it to the method's default_role.
	Role string
	// Mount is where the method is mounted; "" is "jwt".
	Mount string
	// Type of the token; "" is the ID token.
	Type session.TokenType
}

// How long before its end a Vault token is asked for again.
const (
	vaultShouldRenew = 5 * time.Minute
	vaultMustRenew   = time.Minute
)

// storedFor is how long a token of `vault login` is kept that does not say how
// long it is good.
const storedFor = time.Hour

// maxVaultToken bounds what is read; batch tokens have a few hundred bytes.
const maxVaultToken = 64 << 10

// vaultCall is one call of the helper.
type vaultCall struct {
	env    Env
	opt    VaultOptions
	target *Target
	// address of the server, without a slash at its end, and namespace in it.
	address, namespace string
}

// Vault answers one call of a Vault or OpenBao token helper: the verb in args.
// What is given out is a token of Vault's own, which the session's token is
// traded for at the JWT auth method, or the one of a `vault login` until it
// ends. stdout is taken as it is: a line end would be a part of the token.
func Vault(ctx context.Context, env Env, args []string, opt VaultOptions) error {
	if len(args) != 1 {
		return &UsageError{Message: "a Vault token helper is called with one word: get, store or erase"}
	}
	v := vaultCall{env: env, opt: opt}
	v.address = strings.TrimRight(cmp.Or(env.getenv("BAO_ADDR"), env.getenv("VAULT_ADDR"), "https://127.0.0.1:8200"), "/")
	v.namespace = strings.Trim(cmp.Or(env.getenv("BAO_NAMESPACE"), env.getenv("VAULT_NAMESPACE")), "/")
	server, ok := ParseServer(v.address)
	if ok {
		var err error
		if v.target, err = env.target(server); err != nil {
			return err
		}
	}
	switch {
	case args[0] == "get" && v.target == nil, args[0] == "erase" && v.target == nil:
		return nil
	case args[0] == "get":
		return v.get(ctx)
	case args[0] == "erase":
		return v.erase(ctx)
	case args[0] == "store" && v.target == nil:
		return &UsageError{
			Message: fmt.Sprintf("oidc-cred is asked to keep a token of %s, which no profile names in its hosts", oidcflow.Clean(v.address)),
			Advice:  "run 'oidc-cred setup vault " + oidcflow.Clean(v.address) + "', or give the token in VAULT_TOKEN",
		}
	case args[0] == "store":
		return v.store(ctx)
	}
	return &UsageError{Message: fmt.Sprintf("unknown verb %q of a Vault token helper", args[0])}
}

// stored is where a token of `vault login` is kept.
func (v *vaultCall) stored() *trade {
	return &trade{kind: "vault-login", key: []string{v.address, v.namespace}, server: "Vault at " + v.address}
}

// login is the trade at the JWT auth method.
func (v *vaultCall) login() *trade {
	role := cmp.Or(v.opt.Role, v.target.setting("vault_role"))
	mount := strings.Trim(cmp.Or(v.opt.Mount, v.target.setting("vault_mount"), "jwt"), "/")
	kind := cmp.Or(v.opt.Type, session.TokenType(v.target.setting("vault_token")), session.ID)
	return &trade{
		kind: "vault", key: []string{v.address, v.namespace, mount, role, string(kind)}, server: "Vault at " + v.address,
		request: session.Request{Type: kind}, should: vaultShouldRenew, must: vaultMustRenew,
		fetch: func(ctx context.Context, tok *session.Token) (tradedFor, error) {
			body, err := json.Marshal(map[string]string{"role": role, "jwt": tok.Value.Reveal()})
			if err != nil {
				return tradedFor{}, err
			}
			a, err := v.request(ctx, http.MethodPost, "auth/"+mount+"/login", "", string(body))
			if err != nil {
				return tradedFor{}, err
			}
			return readVaultLogin(a, v.env.now())
		},
	}
}

func (v *vaultCall) get(ctx context.Context) error {
	held, err := v.stored().load(ctx, v.target)
	if err != nil {
		return err
	}
	if !held.good(v.env.now(), 0) {
		if held, err = v.login().run(ctx, v.env, v.target); err != nil {
			return err
		}
	}
	var token string
	if err := json.Unmarshal(held.Value, &token); err != nil {
		return fmt.Errorf("read the kept Vault token: %w", err)
	}
	_, err = io.WriteString(v.env.Stdout, token)
	return err
}

// store keeps the token of a `vault login`, which somebody made because it is
// another one than ours, for as long as it is good.
func (v *vaultCall) store(ctx context.Context) error {
	data, err := io.ReadAll(io.LimitReader(v.env.Stdin, maxVaultToken+1))
	if err != nil {
		return fmt.Errorf("read the Vault token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(data) > maxVaultToken || strings.ContainsFunc(token, notInHeader) {
		return &UsageError{Message: "what is to be stored is no Vault token"}
	}
	now := v.env.now().UTC()
	value, err := json.Marshal(token)
	if err != nil {
		return err
	}
	held := &tradedFor{Value: value, Obtained: now, Expiry: now.Add(storedFor)}
	if a, err := v.request(ctx, http.MethodGet, "auth/token/lookup-self", token, ""); err == nil {
		if ttl, ok := readVaultTTL(a); ok && ttl == 0 {
			held.Expiry = time.Time{}
		} else if ok {
			held.Expiry = now.Add(ttl)
		}
	}
	return v.stored().save(ctx, v.target, held)
}

// erase forgets what is kept; the next get logs in anew.
func (v *vaultCall) erase(ctx context.Context) error {
	if v.target.Keep == nil {
		return nil
	}
	return errors.Join(
		v.target.Keep.Remove(ctx, v.stored().name()),
		v.target.Keep.Remove(ctx, v.login().name()),
	)
}

// request asks the server, which has been found to be mapped.
func (v *vaultCall) request(ctx context.Context, method, path, token, body string) (*answer, error) {
	address, err := url.JoinPath(v.address, "v1", path)
	if err != nil {
		return nil, &UsageError{Message: fmt.Sprintf("%q is no address of a Vault server", oidcflow.Clean(v.address))}
	}
	header := map[string]string{"X-Vault-Request": "true"}
	if body != "" {
		header["Content-Type"] = "application/json"
	}
	if v.namespace != "" {
		header["X-Vault-Namespace"] = v.namespace + "/"
	}
	if token != "" {
		header["X-Vault-Token"] = token
	}
	return v.target.send(ctx, method, address, cmp.Or(v.env.getenv("BAO_CACERT"), v.env.getenv("VAULT_CACERT")), header, body)
}

// readVaultLogin reads the answer to a login.
func readVaultLogin(a *answer, now time.Time) (tradedFor, error) {
	var in struct {
		Auth *struct {
			ClientToken   string          `json:"client_token"`
			LeaseDuration int64           `json:"lease_duration"`
			NumUses       int             `json:"num_uses"`
			MFA           json.RawMessage `json:"mfa_requirement"`
		} `json:"auth"`
		Errors []string `json:"errors"`
	}
	err := json.Unmarshal(a.body, &in)
	switch {
	case a.status == http.StatusOK && err == nil && in.Auth != nil && in.Auth.ClientToken != "":
		if strings.ContainsFunc(in.Auth.ClientToken, notInHeader) {
			return tradedFor{}, &serverDown{reason: "HTTP 200 with a token that no header can carry"}
		}
		value, err := json.Marshal(in.Auth.ClientToken)
		got := tradedFor{Value: value}
		if in.Auth.LeaseDuration > 0 {
			got.Expiry = now.UTC().Add(time.Duration(min(in.Auth.LeaseDuration, 1<<31)) * time.Second)
		}
		if in.Auth.NumUses > 0 {
			got.Expiry = now.UTC() // another call may have used it up
		}
		return got, err
	case a.status == http.StatusOK && err == nil && in.Auth != nil && len(in.Auth.MFA) > 0:
		return tradedFor{}, &refusal{
			message: "Vault wants a second factor for this login, which a token helper can't give",
			advice:  "run 'vault login' with a method that asks for it: its token is kept",
		}
	case a.trouble(), err != nil, a.status < 400, len(in.Errors) == 0 && a.status != http.StatusForbidden:
		return tradedFor{}, a.down()
	}
	text := oidcflow.Clean(strings.Join(in.Errors, "; "))
	no := refusal{
		message: fmt.Sprintf("Vault refused the login (HTTP %d): %s", a.status, text),
		advice:  "check the JWT auth method's mount, role and bound claims, and vault_mount, vault_role and vault_token of the profile",
	}
	// Vault has no error codes. These are the words of its JWT auth method for
	// a token that it does not take, which another one may mend.
	if strings.HasPrefix(text, "error validating token") {
		return tradedFor{}, &tokenRefused{no}
	}
	return tradedFor{}, &no
}

// readVaultTTL reads how long a token is good; 0 is without end.
func readVaultTTL(a *answer) (time.Duration, bool) {
	var in struct {
		Data *struct {
			TTL *int64 `json:"ttl"`
		} `json:"data"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &in) != nil || in.Data == nil || in.Data.TTL == nil || *in.Data.TTL < 0 {
		return 0, false
	}
	return time.Duration(min(*in.Data.TTL, 1<<31)) * time.Second, true
}
