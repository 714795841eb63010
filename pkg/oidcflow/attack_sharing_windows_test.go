package oidcflow_test

import "syscall"

// sharing asks to share a port, as a program does that wants to take one over.
func sharing(_, _ string, socket syscall.RawConn) error {
	var failed error
	err := socket.Control(func(handle uintptr) {
		failed = syscall.SetsockoptInt(syscall.Handle(handle), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
