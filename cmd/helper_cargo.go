package cmd

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperCargoCommand() *cobra.Command {
	var c *cobra.Command
	var plugin bool
	c = a.protocol("cargo", "cargo's credential provider protocol", cobra.NoArgs,
		func(ctx context.Context, env helper.Env, _ []string) error {
			if !plugin {
				return usageError{message: "cargo calls this with --cargo-plugin; people don't", hint: "run 'oidc-cred setup cargo --help'"}
			}
			return helper.Cargo(ctx, env, helper.CargoOptions{Args: func(args []string) error { return a.cargoArgs(c, args) }})
		})
	c.Flags().BoolVar(&plugin, "cargo-plugin", false, "what cargo calls a credential provider with")
	return c
}

// cargoArgs takes the arguments from cargo's configuration, which are those of
// the command line to a reader: "helper cargo --profile work".
func (a *app) cargoArgs(c *cobra.Command, args []string) error {
	if err := c.ParseFlags(args); err != nil {
		return err
	}
	if rest := c.Flags().Args(); len(rest) > 0 && !slices.Equal(rest, []string{"helper", "cargo"}) {
		return usageError{message: "cargo's configuration gives the argument " + quote(rest[len(rest)-1]) + ", which is none of 'helper cargo'"}
	}
	return a.checkOfflineFlags(c)
}
