package cache

import "fmt"

// Problem is why a keychain can't be used, as far as a person can do something
// about it.
type Problem string

// The problems.
const (
	// ProblemLocked: it is locked, and nobody may be asked to unlock it.
	ProblemLocked Problem = "locked"
	// ProblemMissing: there is no daemon, bus, tool or collection.
	ProblemMissing Problem = "missing"
	// ProblemTimeout: it did not answer in time.
	ProblemTimeout Problem = "timeout"
	// ProblemDenied: the system or the user refused.
	ProblemDenied Problem = "denied"
	// ProblemPassphrase: there is no passphrase, or it is the wrong one.
	ProblemPassphrase Problem = "passphrase"
	// ProblemCorrupt: what it keeps is no key of ours.
	ProblemCorrupt Problem = "corrupt"
	// ProblemOther: anything else.
	ProblemOther Problem = "other"
)

func (p Problem) text() string {
	switch p {
	case ProblemLocked:
		return "it is locked"
	case ProblemMissing:
		return "it is not available"
	case ProblemTimeout:
		return "it does not answer"
	case ProblemDenied:
		return "access was denied"
	case ProblemPassphrase:
		return "the passphrase is missing or wrong"
	case ProblemCorrupt:
		return "the item is damaged"
	default:
		return "it failed"
	}
}

// KeychainError is a keychain that can't be used.
type KeychainError struct {
	// Backend is the store's name, one of [StoreNames].
	Backend string
	// Op is get, set or remove.
	Op string
	// Problem is what callers branch on.
	Problem Problem
	// Err is the failure behind it; it may be nil.
	Err error

	// hint, if set, is more exact than what follows from the problem.
	hint string
}

// Error implements error.
func (e *KeychainError) Error() string {
	text := fmt.Sprintf("credential store %s: %s: %s", e.Backend, e.Op, e.Problem.text())
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the failure behind it.
func (e *KeychainError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *KeychainError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	switch e.Problem {
	case ProblemLocked:
		return unlockHint(e.Backend)
	case ProblemMissing:
		return missingHint(e.Backend)
	case ProblemTimeout:
		return timeoutHint(e.Backend)
	case ProblemDenied:
		return deniedHint(e.Backend)
	case ProblemPassphrase:
		return "set passphrase_command in the profile or OIDC_CRED_PASSPHRASE, or run it in a terminal to be asked"
	case ProblemCorrupt:
		return "run `oidc-cred login` to make a new key"
	default:
		return ""
	}
}

func unlockHint(backend string) string {
	switch backend {
	case SecretService:
		return "unlock the login keyring, or run `oidc-cred login` in a desktop session's terminal, where it may ask for the password"
	case KWallet:
		return "open the wallet with `kwalletmanager5` or `kwalletmanager6`, or run `oidc-cred login` in a terminal, where it may ask for the password"
	case Pass:
		return "run `pass show " + defaultService + "` once with the item's name, so that gpg asks for the key's passphrase"
	case MacKeychain:
		return "run `security unlock-keychain`"
	default:
		return "unlock it and try again"
	}
}

// otherStores is what to do where the system's own keychain is no option.
const otherStores = "set `store: file` with a passphrase (or keyctl, or pass) in the profile"

func missingHint(backend string) string {
	switch backend {
	case SecretService, KWallet:
		return "start a session with a keyring daemon, or " + otherStores
	case Pass:
		return "install pass and gpg and run `pass init GPG-ID`"
	case MacKeychain:
		return "use a release built with the Keychain, or set `store: file` with a passphrase in the profile"
	case WinCred:
		return "Windows has no credential manager in a network logon such as SSH: set `store: file` with a passphrase in the profile"
	case KeyCtl:
		return "set `store: file` with a passphrase in the profile"
	default:
		return "set `store: auto` in the profile"
	}
}

func timeoutHint(backend string) string {
	switch backend {
	case SecretService:
		return "restart the keyring daemon (`systemctl --user restart gnome-keyring-daemon`), or " + otherStores
	case KWallet:
		return "restart the wallet daemon, or " + otherStores
	case Pass:
		return "restart gpg's agent with `gpgconf --kill gpg-agent`"
	default:
		return "try again; the keychain may be waiting for an answer in another window"
	}
}

func deniedHint(backend string) string {
	switch backend {
	case MacKeychain:
		return "allow oidc-cred in the Keychain's dialog, or remove the item in Keychain Access"
	case KeyCtl:
		return "the kernel's keyring is not for this process (containers often forbid it): set `store: file` with a passphrase in the profile"
	case File:
		return "check the owner and the mode of the state folder"
	default:
		return "allow oidc-cred to use the keychain"
	}
}

// errorText is an error that is nothing but its text.
type errorText string

func (e errorText) Error() string { return string(e) }
