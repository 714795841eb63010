package oidcflow

import "syscall"

// exclusive keeps the redirect's port for this process. Windows lets another
// program take a port that is being listened at, if it asks with SO_REUSEADDR,
// unless the first one forbade it (SO_EXCLUSIVEADDRUSE, which is ~SO_REUSEADDR).
func exclusive(_, _ string, socket syscall.RawConn) error {
	var failed error
	err := socket.Control(func(handle uintptr) {
		failed = syscall.SetsockoptInt(syscall.Handle(handle), syscall.SOL_SOCKET, ^syscall.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
