package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupDockerCommand() *cobra.Command {
	var d setup.Docker
	c := a.setupTool(tool{
		use:   "docker HOST",
		short: "Let docker, podman and others authenticate to a registry with this profile's token",
		long: `Name oidc-cred as the credential helper of one registry in docker's configuration
($DOCKER_CONFIG/config.json or ~/.docker/config.json), which podman, skopeo, buildah,
crane, oras and helm read as well, and note the registry in the profile's hosts.`,
		example: `  oidc-cred setup docker registry.example.com
  oidc-cred setup docker registry.example.com:5000 --profile work --print`,
		args:  cobra.ExactArgs(1),
		links: true,
		host:  func(args []string) string { return args[0] },
		run: func(ctx context.Context, common setup.Common, args []string) error {
			d.Common, d.Host = common, args[0]
			var err error
			if d.Others, err = a.otherHosts("docker", common.Profile, hostPattern(args[0])); err != nil {
				return err
			}
			return d.Run(ctx)
		},
	})
	c.Flags().BoolVar(&d.Podman, "podman", false, "write podman's auth.json ($REGISTRY_AUTH_FILE or ~/.config/containers/auth.json) instead")
	c.Flags().BoolVar(&d.Force, "force", false, "replace another credential helper of the registry")
	return c
}
