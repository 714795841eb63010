// Package registry gives tokens to the clients of container registries, which
// show them to distribution's own registry.
package registry

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
