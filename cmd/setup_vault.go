package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupVaultCommand() *cobra.Command {
	// The helper can be given no arguments, so these are kept in the profile.
	keep := map[string]*string{"vault_role": new(string), "vault_mount": new(string), "vault_token": new(string)}
	host := ""
	c := a.setupTool(tool{
		use: "vault [ADDRESS]", short: "Let vault and bao log in with this profile's token", args: cobra.MaximumNArgs(1), links: true,
		example: `  oidc-cred setup vault https://vault.example.com --role developer
  oidc-cred setup vault https://vault.example.com --remove`,
		host: func([]string) string { return host },
		run: func(ctx context.Context, common setup.Common, args []string) error {
			address := firstOf(append(args, a.getenv("VAULT_ADDR"))...)
			server, ok := helper.ParseServer(address)
			if !ok {
				return usageError{message: "no address of a Vault server is given", hint: "add it, such as https://vault.example.com, or set VAULT_ADDR"}
			}
			host = server.Host
			values, err := vaultValues(keep)
			if err != nil {
				return err
			}
			others, err := a.otherHosts("vault", common.Profile, host)
			if err != nil {
				return err
			}
			if err := (setup.Vault{Common: common, Address: server.Scheme + "://" + server.Host, Others: others}).Run(ctx); err != nil {
				return err
			}
			if others, err = a.otherHostsOf(common.Profile, "vault", host); err != nil || common.Remove && len(others) > 0 {
				return err // the settings are the profile's, for all of its servers
			}
			return a.keepVault(common, values)
		},
	})
	f := c.Flags()
	f.StringVar(keep["vault_role"], "role", "", "the role at the JWT auth method, to be noted in the profile (default: the method's own default)")
	f.StringVar(keep["vault_mount"], "mount", "", "where the JWT auth method is mounted, to be noted in the profile (default jwt)")
	f.StringVar(keep["vault_token"], "type", "", "which token: access or id, to be noted in the profile (default id)")
	return c
}

// vaultValues are the settings that were given.
func vaultValues(given map[string]*string) (map[string]any, error) {
	values := map[string]any{}
	for _, s := range settings() {
		value := given[s.key]
		if value == nil || *value == "" {
			continue
		}
		if err := s.check(*value); err != nil {
			return nil, usageError{message: fmt.Sprintf("--%s: %s, not %q", strings.TrimPrefix(strings.Replace(s.key, "_token", "_type", 1), "vault_"), err, *value)}
		}
		values[s.key] = *value
	}
	return values, nil
}

// keepVault notes in the profile what the helper is to know, or takes it out.
func (a *app) keepVault(common setup.Common, values map[string]any) error {
	p, err := a.current()
	switch {
	case err != nil || !p.saved:
		return err
	case common.Remove && common.Print:
		return nil
	case common.Remove:
		return editConfig(a.paths.config, func(root *yaml.Node) error {
			if profiles := lookup(root, "profiles"); profiles != nil {
				if node := lookup(profiles, p.name); node != nil {
					for _, key := range []string{"vault_role", "vault_mount", "vault_token"} {
						unset(node, key)
					}
				}
			}
			return nil
		})
	case len(values) == 0:
		return nil
	case common.Print:
		for key, value := range values {
			if _, err := fmt.Fprintf(a.out, "# and in %s: profiles: {%s: {%s: %v}}\n", a.paths.config, p.name, key, value); err != nil {
				return err
			}
		}
		return nil
	}
	return saveProfile(a.paths.config, p.name, values)
}
