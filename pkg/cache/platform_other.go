//go:build !linux && !windows && !darwin

package cache

// platformRing opens a store of this system; nil if it has none of the name.
func platformRing(name string, o KeychainOptions) opener {
	if name == Pass {
		return openPass(o)
	}
	return nil
}

func systemProblem(error) Problem { return ProblemOther }
