package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) helperVaultCommand() *cobra.Command {
	var opt helper.VaultOptions
	var kind string
	c := a.protocol("vault get|store|erase", "Vault's token helper protocol", cobra.ArbitraryArgs,
		func(ctx context.Context, env helper.Env, args []string) error {
			if kind != "" {
				if err := checkTokenType(kind); err != nil {
					return err
				}
			}
			if opt.Mount != "" {
				if err := checkVaultMount(opt.Mount); err != nil {
					return usageError{message: "--mount: " + err.Error()}
				}
			}
			opt.Type = session.TokenType(kind)
			return helper.Vault(ctx, env, args, opt)
		})
	f := c.Flags()
	f.StringVar(&opt.Role, "role", "", "the role of the JWT auth method (default: vault_role of the profile, else the method's own default)")
	f.StringVar(&opt.Mount, "mount", "", "where the JWT auth method is mounted (default: vault_mount of the profile)")
	f.StringVar(&kind, "type", "", "which token: access or id (default: vault_token of the profile)")
	return c
}
