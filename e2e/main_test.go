// Package e2e drives the real program against a real provider, a real browser
// and the real tools that it gives tokens to.
package e2e

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
