package cmd

import (
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// argsFor turns the names that other tools call their helpers by into the
// helper command.
func argsFor(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	protocol, profile := helper.Called(args[0])
	if protocol == "" && slices.Equal(args[1:], []string{"--cargo-plugin"}) {
		protocol = "cargo" // which gives the other arguments on stdin
	}
	if protocol == "" || protocol == "kubectl" && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		// The kubectl helper takes no arguments, and a plugin of kubectl may be
		// the only copy there is: 'kubectl oidc-cred login'.
		return args[1:]
	}
	called := []string{"helper", protocol}
	if profile != "" {
		called = append(called, "--profile", profile)
	}
	return slices.Concat(called, args[1:])
}
