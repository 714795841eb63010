package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupPnpmCommand() *cobra.Command {
	var force bool
	c := a.setupTool(tool{
		use: "pnpm HOST", short: "Let pnpm use a registry with this profile's token", args: cobra.ExactArgs(1),
		example: `  oidc-cred setup pnpm npm.example.com
  oidc-cred setup pnpm https://npm.example.com:8443/ --profile work`,
		links: true,
		host:  hostArg,
		run: func(ctx context.Context, common setup.Common, args []string) error {
			return setup.Pnpm{Common: common, Host: args[0], Force: force}.Run(ctx)
		},
	})
	c.Flags().BoolVar(&force, "force", false, "replace another token helper of the registry")
	return c
}
