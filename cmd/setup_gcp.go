package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupGCPCommand() *cobra.Command {
	var g setup.GCP
	var kind string
	c := a.setupTool(tool{
		use: "gcp [AUDIENCE]", short: "Write a credential configuration for Google Cloud's tools",
		example: `  oidc-cred setup gcp //iam.googleapis.com/locations/global/workforcePools/POOL/providers/PROVIDER --user-project PROJECT
  oidc-cred setup gcp //iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/POOL/providers/PROVIDER --service-account NAME@PROJECT.iam.gserviceaccount.com
  oidc-cred setup gcp --remove`,
		args: cobra.MaximumNArgs(1),
		run: func(ctx context.Context, common setup.Common, args []string) error {
			g.Common, g.Audience = common, firstOf(args...)
			if kind != "" {
				if err := checkTokenType(kind); err != nil {
					return err
				}
			}
			g.Access = kind == "access"
			if g.Audience == "" && !common.Remove {
				return usageError{message: "no audience is given", hint: "add the one of the identity pool's provider, as //iam.googleapis.com/…/providers/PROVIDER"}
			}
			return g.Run(ctx)
		},
	})
	f := c.Flags()
	f.StringVar(&g.ServiceAccount, "service-account", "", "a service account to act as")
	f.StringVar(&g.UserProject, "user-project", "", "the project that is billed for a workforce identity's calls")
	f.StringVar(&g.TokenURL, "token-url", "", "another STS than Google's public one, such as a private endpoint")
	f.StringVar(&g.File, "out", "", "the file to write (default oidc-cred-PROFILE.json in gcloud's folder)")
	f.StringVar(&kind, "type", "", "which token: access (if it is a JWT) or id (default id)")
	return c
}
