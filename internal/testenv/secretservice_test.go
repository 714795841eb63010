package testenv_test

import (
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestSecretService(t *testing.T) {
	s := testenv.SecretService(t)
	s.Lock(t)
	s.Suspend(t)
	s.Resume(t)
	s.Quit(t)
}
