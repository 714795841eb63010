package cmd

import (
	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperPnpmCommand() *cobra.Command {
	return a.protocol("pnpm", "pnpm's token helper", cobra.ArbitraryArgs, helper.Pnpm)
}
