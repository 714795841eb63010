package cache

import "github.com/oidc-cred/oidc-cred/internal/dbusguard"

// By now github.com/99designs/keyring has initialised, without a session bus
// where internal/dbusguard came first: importing this package is enough.
func init() { dbusguard.Restore() }

// platformRing opens a store of this system; nil if it has none of the name.
func platformRing(name string, o KeychainOptions) opener {
	switch name {
	case SecretService:
		return openSecretService(o)
	case KWallet:
		return openKWallet(o)
	case KeyCtl:
		return openKeyctl(o)
	case Pass:
		return openPass(o)
	default:
		return nil
	}
}

func systemProblem(error) Problem { return ProblemOther }
