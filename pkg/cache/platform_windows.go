package cache

import (
	"errors"

	"github.com/99designs/keyring"
	"golang.org/x/sys/windows"
)

// platformRing opens a store of this system; nil if it has none of the name.
func platformRing(name string, o KeychainOptions) opener {
	if name != WinCred {
		return nil
	}
	// The items are called oidc-cred:session:NAME. One takes 2,560 bytes
	// (CRED_MAX_CREDENTIAL_BLOB_SIZE).
	return libraryRing(keyring.Config{
		AllowedBackends: []keyring.BackendType{keyring.WinCredBackend},
		WinCredPrefix:   o.Service,
		ServiceName:     "session",
	})
}

func systemProblem(err error) Problem {
	// A network logon (SSH, a scheduled task without a password) has no
	// credential manager.
	if errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION) {
		return ProblemMissing
	}
	return ProblemOther
}
