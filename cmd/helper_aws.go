package cmd

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) helperAWSCommand() *cobra.Command {
	var flags awsFlags
	c := a.protocol("aws", "the AWS tools' credential_process", cobra.NoArgs,
		func(ctx context.Context, env helper.Env, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return helper.AWS(ctx, env, flags.AWSOptions)
		})
	flags.add(c)
	c.Flags().StringVar(&flags.RoleARN, "role-arn", "", "the role to take on (default $AWS_ROLE_ARN)")
	c.Flags().BoolVar(&flags.ForceRefresh, "force-refresh", false, "ask STS for new credentials, whatever is kept")
	return c
}

// awsFlags are what the helper and its setup have in common.
type awsFlags struct {
	helper.AWSOptions
	kind, duration string
}

func (o *awsFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.SessionName, "session-name", "", "the name in AWS's logs (default: the user's)")
	f.StringVar(&o.duration, "duration", "", "how long the credentials live, such as 8h (default: what STS gives, an hour)")
	f.StringVar(&o.Region, "region", "", "the region whose STS is asked (default $AWS_REGION; aws-global is the global one)")
	f.StringVar(&o.EndpointURL, "endpoint-url", "", "another STS (default $AWS_ENDPOINT_URL_STS)")
	f.StringVar(&o.kind, "type", "", "which token: access or id (default id)")
}

func (o *awsFlags) check() (err error) {
	if o.kind != "" {
		if err := checkTokenType(o.kind); err != nil {
			return err
		}
		o.Type = session.TokenType(o.kind)
	}
	if o.duration != "" {
		if o.Duration, err = parseDuration(o.duration); err != nil {
			return usageError{message: fmt.Sprintf("--duration: %s, not %q", err, o.duration)}
		}
	}
	return nil
}

// arguments are the helper's, with the STS that the environment names now.
func (o *awsFlags) arguments(getenv func(string) string) []string {
	words := []string{"--role-arn", o.RoleARN}
	endpoint := o.EndpointURL
	if endpoint == "" && getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true" {
		endpoint = cmp.Or(getenv("AWS_ENDPOINT_URL_STS"), getenv("AWS_ENDPOINT_URL"))
	}
	if endpoint != "" {
		words = append(words, "--endpoint-url", endpoint)
	} else {
		words = append(words, "--region", cmp.Or(o.Region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), "aws-global"))
	}
	for _, f := range [][2]string{{"--session-name", o.SessionName}, {"--duration", o.duration}, {"--type", o.kind}} {
		if f[1] != "" {
			words = append(words, f[0], f[1])
		}
	}
	return words
}
