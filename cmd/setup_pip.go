package cmd

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupPipCommand() *cobra.Command {
	var dir string
	c := a.setupTool(tool{
		use: "pip HOST", short: "Let pip and uv use a package index with this profile's token", args: cobra.ExactArgs(1),
		long: `Let pip and uv use a package index with this profile's token. Both ask a command
named keyring; oidc-cred is linked under that name in a folder of its own, which
has to come first in PATH. A keyring that is installed is still asked about
every server that no profile has.`,
		example: `  oidc-cred setup pip pypi.example.com
  oidc-cred setup pip https://packages.example.com:8443/team/simple/`,
		host: hostArg,
		run: func(ctx context.Context, common setup.Common, args []string) error {
			if dir != "" {
				var err error
				if common.BinDir, err = filepath.Abs(dir); err != nil {
					return usageError{message: "--bin-dir: " + err.Error()}
				}
			}
			others, err := a.otherHosts("pip", common.Profile, hostArg(args))
			if err != nil {
				return err
			}
			return setup.Pip{Common: common, Host: args[0], Others: others}.Run(ctx)
		},
	})
	c.Flags().StringVar(&dir, "bin-dir", "", "the folder for the link named keyring (default: one of its own)")
	return c
}
