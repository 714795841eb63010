//go:build darwin && cgo

package cache

import (
	"errors"

	gokeychain "github.com/99designs/go-keychain"
	"github.com/99designs/keyring"
)

// openMacKeychain opens the login Keychain. The program that makes an item is
// trusted by it, or each later read would ask.
func openMacKeychain(o KeychainOptions) opener {
	return libraryRing(keyring.Config{
		AllowedBackends:          []keyring.BackendType{keyring.KeychainBackend},
		ServiceName:              o.Service,
		KeychainTrustApplication: true,
	})
}

// errUserCanceled is errSecUserCanceled, which the library does not name.
const errUserCanceled = gokeychain.Error(-128)

func systemProblem(err error) Problem {
	code, ok := errors.AsType[gokeychain.Error](err)
	switch {
	case !ok:
		return ProblemOther
	case code == gokeychain.ErrorInteractionNotAllowed:
		return ProblemLocked
	case code == gokeychain.ErrorAuthFailed, code == gokeychain.ErrorNoAccessForItem, code == errUserCanceled:
		return ProblemDenied
	case code == gokeychain.ErrorNotAvailable, code == gokeychain.ErrorNoSuchKeychain:
		return ProblemMissing
	default:
		return ProblemOther
	}
}
