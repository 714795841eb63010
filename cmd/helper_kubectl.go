package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) helperKubectlCommand() *cobra.Command {
	var kind string
	c := a.protocol("kubectl", "kubectl's credential plugin protocol (ExecCredential)", cobra.NoArgs,
		func(ctx context.Context, env helper.Env, _ []string) error {
			if kind != "" {
				if err := checkTokenType(kind); err != nil {
					return err
				}
			}
			return helper.Kubectl(ctx, env, helper.KubectlOptions{Profile: a.profileFlag, Type: session.TokenType(kind)})
		})
	c.Flags().StringVar(&kind, "type", "", "which token: access or id (default id, which kube-apiserver expects)")
	return c
}
