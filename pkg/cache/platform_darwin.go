package cache

// platformRing opens a store of this system; nil if it has none of the name.
func platformRing(name string, o KeychainOptions) opener {
	switch name {
	case MacKeychain:
		return openMacKeychain(o)
	case Pass:
		return openPass(o)
	default:
		return nil
	}
}
