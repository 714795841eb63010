package cmd

import (
	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperTerraformCommand() *cobra.Command {
	return a.protocol("terraform get|store|forget HOST", "Terraform's credentials helper protocol", cobra.ArbitraryArgs, helper.Terraform)
}
