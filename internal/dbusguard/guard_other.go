//go:build !linux

package dbusguard

// Restore does nothing here: only on Linux does keyring look for D-Bus.
func Restore() {}
