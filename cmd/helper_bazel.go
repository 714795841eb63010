package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperBazelCommand() *cobra.Command {
	return a.protocol("bazel get", "Bazel's credential helper protocol", cobra.ArbitraryArgs,
		func(ctx context.Context, env helper.Env, args []string) error {
			a.limit = helper.BazelExchange
			return helper.Bazel(ctx, env, args)
		})
}
