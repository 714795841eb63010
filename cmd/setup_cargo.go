package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupCargoCommand() *cobra.Command {
	var cargo setup.Cargo
	c := a.setupTool(tool{
		use:   "cargo REGISTRY [INDEX]",
		short: "Let cargo authenticate to a registry with this profile's token",
		example: `  oidc-cred setup cargo corp sparse+https://crates.example.com/index/
  oidc-cred setup cargo corp --profile work --print`,
		args: cobra.RangeArgs(1, 2),
		host: func([]string) string { return cargo.Host },
		run: func(ctx context.Context, common setup.Common, args []string) error {
			cargo.Common, cargo.Registry = common, args[0]
			if len(args) > 1 {
				cargo.Index = args[1]
			}
			return cargo.Run(ctx)
		},
	})
	c.Flags().BoolVar(&cargo.Force, "force", false, "replace another credential provider of the registry")
	return c
}
