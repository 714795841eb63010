package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupAWSCommand() *cobra.Command {
	var flags awsFlags
	var name string
	host := ""
	c := a.setupTool(tool{
		use: "aws [ROLE_ARN]", short: "Let the AWS tools take on a role with this profile's token",
		example: `  oidc-cred setup aws arn:aws:iam::123456789012:role/developer --region eu-central-1
  oidc-cred setup aws arn:aws:iam::123456789012:role/admin --aws-profile admin --duration 15m
  oidc-cred setup aws --aws-profile admin --remove`,
		args: cobra.MaximumNArgs(1),
		host: func([]string) string { return host },
		run: func(ctx context.Context, common setup.Common, args []string) (err error) {
			t := setup.AWS{Common: common, Name: name}
			if common.Remove {
				host, err = t.RemoveHost(ctx)
				return err
			}
			if err := flags.check(); err != nil {
				return err
			}
			if flags.RoleARN = firstOf(args...); flags.RoleARN == "" {
				return usageError{message: "no role is given", hint: "add its ARN, such as arn:aws:iam::123456789012:role/developer"}
			}
			// Which STS is asked must not depend on the environment in which
			// the AWS tools are called later: its host is noted in the profile.
			endpoint, err := helper.STSEndpoint(flags.EndpointURL, flags.Region, a.getenv)
			if err == nil {
				err = flags.Check()
			}
			if err != nil {
				return fromHelper(err)
			}
			server, _ := helper.ParseServer(endpoint)
			host = server.Host
			t.Arguments = flags.arguments(a.getenv)
			return t.Run(ctx)
		},
	})
	flags.add(c)
	c.Flags().StringVar(&name, "aws-profile", "", "the AWS tools' profile to write (default: this profile's name)")
	return c
}
