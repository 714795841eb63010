package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperDockerCommand() *cobra.Command {
	return a.protocol("docker get|store|erase|list|version", "docker's credential helper protocol", cobra.ArbitraryArgs,
		func(ctx context.Context, env helper.Env, args []string) error {
			if firstOf(args...) == "version" {
				_, err := fmt.Fprintf(a.out, "docker-credential-oidc-cred %s\n", a.version.Version)
				return err
			}
			return helper.Docker(ctx, env, args)
		})
}
