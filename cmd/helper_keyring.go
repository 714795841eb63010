package cmd

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// helperKeyringCommand leaves the arguments as they are but for flags of ours
// at their beginning: the keyring command that a call may have to be passed on
// to has options of its own.
func (a *app) helperKeyringCommand() *cobra.Command {
	c := &cobra.Command{
		Use:                "keyring get URL [USER]",
		Short:              "the keyring command that pip and uv call",
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: true,
	}
	a.addOfflineFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		own := ownFlags(c, args)
		c.DisableFlagParsing = false
		if err := c.ParseFlags(args[:own]); err != nil {
			return c.FlagErrorFunc()(c, err)
		}
		args = args[own:]
		if help, _ := c.Flags().GetBool("help"); help || len(args) == 0 {
			return c.Help()
		}
		if err := a.checkOfflineFlags(c); err != nil {
			return err
		}
		return fromHelper(helper.Keyring(c.Context(), a.helperEnv(c), args))
	}
	return c
}

// ownFlags is how many of the arguments are the command's flags, up to the
// first that is none.
func ownFlags(c *cobra.Command, args []string) int {
	for i := 0; ; i++ {
		if i >= len(args) || !strings.HasPrefix(args[i], "--") {
			return min(i, len(args))
		}
		name, _, hasValue := strings.Cut(args[i][2:], "=")
		f := c.Flag(name)
		if f == nil {
			return i
		}
		if !hasValue && f.NoOptDefVal == "" {
			i++
		}
	}
}
