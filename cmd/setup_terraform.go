package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupTerraformCommand() *cobra.Command {
	var force bool
	c := a.setupTool(tool{
		use: "terraform HOST", short: "Let Terraform and OpenTofu use a registry with this profile's token", args: cobra.ExactArgs(1),
		example: `  oidc-cred setup terraform registry.example.com
  oidc-cred setup terraform registry.example.com:8443 --print`,
		host: hostArg,
		run: func(ctx context.Context, common setup.Common, args []string) error {
			others, err := a.otherHosts("terraform", common.Profile, hostArg(args))
			if err != nil {
				return err
			}
			return setup.Terraform{Common: common, Host: args[0], Others: others, Force: force}.Run(ctx)
		},
	})
	c.Flags().BoolVar(&force, "force", false, "replace another credentials helper")
	return c
}

// hostArg is the host that a setup's only argument names, also as a URL with a
// user.
func hostArg(args []string) string {
	host := hostPattern(args[0])
	return host[strings.LastIndex(host, "@")+1:]
}

// otherHosts are the hosts beside this one that a tool was set up for, where it
// is told of oidc-cred once for all of them.
func (a *app) otherHosts(tool, profile, host string) ([]string, error) {
	notes, err := a.hostNotesNow()
	if err != nil {
		return nil, err
	}
	var others []string
	for p := range notes {
		except := ""
		if p == profile {
			except = host
		}
		others = append(others, notes.others(p, tool, except)...)
	}
	slices.Sort(others)
	return slices.Compact(others), nil
}

// otherHostsOf are those of one profile, where the tool is told of oidc-cred
// once for each profile.
func (a *app) otherHostsOf(profile, tool, host string) ([]string, error) {
	notes, err := a.hostNotesNow()
	if err != nil {
		return nil, err
	}
	others := notes.others(profile, tool, host)
	slices.Sort(others)
	return others, nil
}

func (a *app) hostNotesNow() (hostNotes, error) {
	notes, err := a.readHostNotes()
	if err != nil {
		return nil, failure{err: fmt.Errorf("read what setup has done before: %w", err), hint: "remove the file"}
	}
	return notes, nil
}

// others are the profile's hosts beside one that were noted for the tool.
func (n hostNotes) others(profile, tool, host string) []string {
	var others []string
	for h, tools := range n[profile] {
		if h != host && slices.Contains(tools, tool) {
			others = append(others, h)
		}
	}
	return others
}
