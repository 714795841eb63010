package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// dialBus opens a private connection to the session bus. Its whole life is
// under ctx: a bus that accepts and never answers costs no more than the time
// limit. No bus is ever started.
//
// The greeting (org.freedesktop.DBus.Hello) is sent, but not waited for: the
// bus handles messages in order, so what follows needs no trip of its own.
// hello is its outcome.
func dialBus(ctx context.Context, getenv func(string) string) (conn *dbus.Conn, hello *dbus.Call, err error) {
	address, err := busAddress(getenv)
	if err != nil {
		return nil, nil, err
	}
	var d net.Dialer
	socket, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	transport, err := authenticate(ctx, socket)
	if err != nil {
		_ = socket.Close()
		return nil, nil, fmt.Errorf("authenticate to the session bus: %w", err)
	}
	conn, err = dbus.NewConn(transport, dbus.WithContext(ctx))
	if err != nil {
		_ = socket.Close()
		return nil, nil, err
	}
	if err := conn.Auth(nil); err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("authenticate to the session bus: %w", err)
	}
	return conn, conn.BusObject().GoWithContext(ctx, "org.freedesktop.DBus.Hello", 0, nil), nil
}

// busAddress is the path of the session bus's socket. D-Bus Specification,
// "Server Addresses" and "Unix Domain Sockets".
func busAddress(getenv func(string) string) (string, error) {
	runtimeDir := getenv("XDG_RUNTIME_DIR")
	list := getenv("DBUS_SESSION_BUS_ADDRESS")
	if list == "" || list == "autolaunch:" {
		if runtimeDir == "" {
			return "", noBus("DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR are not set")
		}
		return filepath.Join(runtimeDir, "bus"), nil
	}
	for address := range strings.SplitSeq(list, ";") {
		keys, ok := strings.CutPrefix(address, "unix:")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(keys, ",") {
			key, escaped, _ := strings.Cut(pair, "=")
			value, err := dbus.UnescapeBusAddressValue(escaped)
			switch {
			case err != nil:
			case key == "path":
				return value, nil
			case key == "abstract":
				return "@" + value, nil
			case key == "runtime" && value == "yes" && runtimeDir != "":
				return filepath.Join(runtimeDir, "bus"), nil
			}
		}
	}
	return "", noBus("DBUS_SESSION_BUS_ADDRESS has no address that is understood here")
}

func noBus(why string) error {
	return &KeychainError{Problem: ProblemMissing, Err: errorText("no session bus: " + why)}
}

// busProblem says what a failed D-Bus call comes to.
func busProblem(err error) error {
	var known *KeychainError
	if err == nil || errors.As(err, &known) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	if reply, ok := errors.AsType[dbus.Error](err); ok {
		return replyProblem(reply)
	}
	if reply, ok := errors.AsType[*dbus.Error](err); ok {
		return replyProblem(*reply)
	}
	problem := ProblemOther
	switch {
	case errors.Is(err, fs.ErrPermission):
		problem = ProblemDenied
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, dbus.ErrClosed):
		problem = ProblemMissing
	}
	return &KeychainError{Problem: problem, Err: err}
}

// replyProblem goes by the error's name. D-Bus Specification, "Error
// messages"; Secret Service API Draft, "Errors".
func replyProblem(reply dbus.Error) error {
	problem := ProblemOther
	switch name := reply.Name; {
	case name == "org.freedesktop.Secret.Error.NoSuchObject":
		return ErrNotFound
	case name == "org.freedesktop.Secret.Error.IsLocked":
		problem = ProblemLocked
	case name == "org.freedesktop.DBus.Error.ServiceUnknown", name == "org.freedesktop.DBus.Error.NameHasNoOwner",
		name == "org.freedesktop.DBus.Error.UnknownObject", name == "org.freedesktop.DBus.Error.Disconnected",
		strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn."):
		problem = ProblemMissing
	case name == "org.freedesktop.DBus.Error.NoReply", name == "org.freedesktop.DBus.Error.Timeout",
		name == "org.freedesktop.DBus.Error.TimedOut":
		problem = ProblemTimeout
	case name == "org.freedesktop.DBus.Error.AccessDenied", name == "org.freedesktop.DBus.Error.AuthFailed":
		problem = ProblemDenied
	}
	return &KeychainError{Problem: problem, Err: fmt.Errorf("%s (%s)", reply.Error(), reply.Name)}
}
