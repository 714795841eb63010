package cmd

import (
	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperGoCommand() *cobra.Command {
	return a.protocol("go [URL]", "go's GOAUTH protocol", cobra.ArbitraryArgs, helper.Go)
}
