package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupGoCommand() *cobra.Command {
	return a.setupTool(tool{
		use:   "go HOST",
		short: "Let the go command authenticate to a host with this profile's token",
		example: `  oidc-cred setup go go.example.com
  oidc-cred setup go https://go.example.com/mirror
  oidc-cred setup go go.example.com:8443 --profile work --print`,
		args: cobra.ExactArgs(1),
		host: func(args []string) string { return args[0] },
		run: func(ctx context.Context, common setup.Common, args []string) error {
			others, err := a.otherHostsOf(common.Profile, "go", hostPattern(args[0]))
			if err != nil {
				return err
			}
			return setup.Go{Common: common, Host: args[0], Others: others}.Run(ctx)
		},
	})
}
