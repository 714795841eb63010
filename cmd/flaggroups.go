package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a part of a long list of flags in the help.
type flagGroup struct {
	title string
	names string // separated by spaces
}

// groupFlags makes the help of a command show its flags in groups, and those
// that are in none at the end.
func groupFlags(c *cobra.Command, groups []flagGroup) {
	c.SetUsageFunc(func(c *cobra.Command) error {
		out := c.OutOrStderr()
		fmt.Fprintf(out, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
		taken := map[string]bool{}
		show := func(title string, names ...string) {
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.SortFlags = false
			for _, name := range names {
				if f := c.Flags().Lookup(name); f != nil && !taken[name] {
					taken[name] = true
					set.AddFlag(f)
				}
			}
			if set.HasFlags() {
				fmt.Fprintf(out, "\n%s:\n%s", title, set.FlagUsages())
			}
		}
		for _, g := range groups {
			show(g.title, strings.Fields(g.names)...)
		}
		var rest []string
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { rest = append(rest, f.Name) })
		show("Other flags", rest...)
		fmt.Fprintf(out, "\nGlobal flags:\n%s", c.InheritedFlags().FlagUsages())
		return nil
	})
}

// loginFlags are what login's flags are about.
func loginFlags() []flagGroup {
	return []flagGroup{
		{"How to sign in", "device no-browser qr timeout-sign-in grant"},
		{"The provider and the client", "issuer client-id client-secret-env client-secret-command client-secret-keychain"},
		{"What is asked for", "scope audience resource auth-param redirect post-logout-redirect pushed-authorization-requests dpop"},
		{"How the client proves who it is", "token-endpoint-auth-method client-key-file client-key-id token-endpoint-auth-signing-alg client-assertion-audience client-certificate-file client-certificate-key-file"},
		{"Without a person", "subject-token-env subject-token-file subject-token-command subject-token-github subject-token-audience subject-token-type requested-token-type"},
		{"Further settings of the profile", "ca-file store timeout refresh-before offline-enabled offline-max-duration"},
	}
}
