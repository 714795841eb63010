//go:build !windows

package setup

// isCopy: links are symbolic here.
func isCopy(string) bool { return false }
