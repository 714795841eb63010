//go:build darwin && !cgo

package cache

// openMacKeychain has no Keychain to open: the library reaches it through cgo.
func openMacKeychain(KeychainOptions) opener {
	return absentRing("this build has no Keychain (it was made without cgo)")
}

func systemProblem(error) Problem { return ProblemOther }
