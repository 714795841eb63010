package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) helperGCPCommand() *cobra.Command {
	var kind string
	c := a.protocol("gcp", "Google Cloud's executable-sourced credentials", cobra.NoArgs,
		func(ctx context.Context, env helper.Env, _ []string) error {
			if kind != "" {
				if err := checkTokenType(kind); err != nil {
					return err
				}
			}
			return helper.GCP(ctx, env, helper.GCPOptions{Profile: a.profileFlag, Type: session.TokenType(kind)})
		})
	// Whatever is wrong is answered in the protocol, which is all that the
	// libraries read.
	answered := func(err error) error {
		if err == nil || errors.Is(err, context.Canceled) {
			return err
		}
		if err := helper.GCPFailed(a.out, err); err != nil {
			return err
		}
		return silentExit(exitOK)
	}
	run, check := c.RunE, c.Args
	c.RunE = func(c *cobra.Command, args []string) error { return answered(run(c, args)) }
	c.Args = func(c *cobra.Command, args []string) error { return answered(check(c, args)) }
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return answered(usageError{message: err.Error()}) })
	c.Flags().StringVar(&kind, "type", "", "which token: access or id (default id)")
	return c
}
