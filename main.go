// Command oidc-cred signs in once with an OpenID Connect provider and gives
// every tool a token, also while the provider is down.
package main

import (
	"os"

	"github.com/oidc-cred/oidc-cred/cmd"
	_ "github.com/oidc-cred/oidc-cred/internal/earlystack" // for its init
)

// Set by the linker.
var (
	version = "devel"
	commit  = "none"
	date    = "unknown"
)

func main() {
	os.Exit(cmd.Execute(cmd.Version{Version: version, Commit: commit, Date: date}, os.Args,
		cmd.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
