package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupBazelCommand() *cobra.Command {
	return a.setupTool(tool{
		use: "bazel HOST", short: "Let Bazel authenticate to a host with this profile's token", args: cobra.ExactArgs(1), links: true,
		example: `  oidc-cred setup bazel cache.example.com
  oidc-cred setup bazel '*.build.example.com'`,
		host: func(args []string) string { return strings.TrimPrefix(args[0], "grpcs://") },
		run: func(ctx context.Context, common setup.Common, args []string) error {
			return setup.Bazel{Common: common, Host: args[0]}.Run(ctx)
		},
	})
}
