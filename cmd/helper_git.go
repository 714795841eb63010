package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

func (a *app) helperGitCommand() *cobra.Command {
	var username string
	c := a.protocol("git get|store|erase|capability", "git's credential helper protocol", cobra.ArbitraryArgs,
		func(ctx context.Context, env helper.Env, args []string) error {
			if username != "" {
				if err := checkUsername(username); err != nil {
					return usageError{message: "--username: " + err.Error()}
				}
				resolve := env.Resolve
				env.Resolve = func(server helper.Server) (*helper.Target, error) {
					t, err := resolve(server)
					if t != nil {
						t.Username = username
					}
					return t, err
				}
			}
			return helper.Git(ctx, env, firstOf(args...))
		})
	c.Flags().StringVar(&username, "username", "", "the user name that goes with the token (default: the profile's)")
	return c
}
