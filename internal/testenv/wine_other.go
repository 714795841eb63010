//go:build !windows

package testenv

// Wine says whether this is Wine.
func Wine() bool { return false }
