package helper

import (
	"context"
	"encoding/json"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// Terraform answers one call of a credentials helper of Terraform and OpenTofu
// (Terraform's "Credentials Helpers" internals page): a verb and a host, which
// is in its ASCII form and has a port where that is not 443. A failure is a
// non-zero exit with something on stderr.
func Terraform(ctx context.Context, env Env, args []string) error {
	if len(args) != 2 {
		return &UsageError{Message: "a credentials helper is called with get, store or forget and a host", Advice: "run 'oidc-cred setup terraform HOST'"}
	}
	verb, host := args[0], args[1]
	target, err := env.target(Server{Scheme: "https", Host: host})
	if err != nil {
		return err
	}
	switch verb {
	case "get":
		return terraformGet(ctx, env, target)
	case "store":
		return terraformStore(target, host)
	case "forget":
		return terraformForget(target, host)
	default:
		return &UsageError{Message: "a credentials helper knows get, store and forget only"}
	}
}

// terraformGet gives the token, or an empty object for a host that is not
// mapped: Terraform then goes on without a credential.
func terraformGet(ctx context.Context, env Env, target *Target) error {
	answer := struct {
		Token string `json:"token,omitempty"`
	}{}
	if target != nil {
		tok, err := target.token(ctx, session.Request{}, true)
		if err != nil {
			return err
		}
		answer.Token = tok.Value.Reveal()
	}
	return json.NewEncoder(env.Stdout).Encode(answer)
}

// terraformStore refuses the token that 'terraform login' brings: this program
// gives out tokens of its own sign-in and keeps nobody else's.
func terraformStore(target *Target, host string) error {
	if target == nil {
		return &UsageError{
			Message: "oidc-cred keeps no tokens of other sign-ins, and " + host + " is mapped to no profile",
			Advice:  "run 'oidc-cred setup terraform " + host + "' to use oidc-cred's token; or, for a token in Terraform's own file, 'TF_CLI_CONFIG_FILE=/dev/null terraform login " + host + "'",
		}
	}
	return &UsageError{
		Message: "no 'terraform login' is needed: " + host + " gets the token of profile " + target.Profile + ", and oidc-cred keeps no other",
		Advice:  "run 'oidc-cred login --profile " + target.Profile + "' to sign in",
	}
}

// terraformForget: 'terraform logout' does not end a session that serves other
// tools as well, and must not look as if it had.
func terraformForget(target *Target, host string) error {
	if target == nil {
		return nil // there is nothing of that host here
	}
	return &UsageError{
		Message: "'terraform logout' does not sign out of profile " + target.Profile + ", which gives the token for " + host,
		Advice:  "run 'oidc-cred logout --profile " + target.Profile + "', or 'oidc-cred setup terraform " + host + " --remove'",
	}
}
