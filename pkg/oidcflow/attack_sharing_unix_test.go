//go:build unix

package oidcflow_test

import (
	"runtime"
	"syscall"
)

// sharing asks to share a port, as a program does that wants to take one over.
func sharing(_, _ string, socket syscall.RawConn) error {
	var failed error
	err := socket.Control(func(fd uintptr) {
		reusePort := 0x200 // SO_REUSEPORT of the BSDs and macOS
		if runtime.GOOS == "linux" {
			reusePort = 0xf
		}
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
