package oidcflow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// DefaultRedirect is any free port of the loopback interface, RFC 8252 §7.3.
const DefaultRedirect = "http://127.0.0.1:0/callback"

// redirect is where the browser brings the answer.
type redirect struct {
	host string // as the browser will name it, without port: 127.0.0.1, ::1, localhost
	port int    // 0: any free one
	path string // escaped; may be ""
}

// parseRedirect reads a loopback redirect. Without a port it is one at any
// port, as such redirects are registered (RFC 8252 §7.3).
func parseRedirect(raw string) (redirect, error) {
	if raw == "" {
		raw = DefaultRedirect
	}
	u, err := checkEndpoint(raw)
	switch {
	case err != nil:
	case u.Scheme != "http" || !IsLoopback(u.Hostname()):
		err = errors.New("is not an http address of this machine")
	case u.RawQuery != "" || u.ForceQuery:
		err = errors.New("has a query")
	}
	if err != nil {
		return redirect{}, fmt.Errorf("the redirect %q %w: it must be like %s", Clean(raw), err, DefaultRedirect)
	}
	r := redirect{host: strings.ToLower(u.Hostname()), path: u.EscapedPath()}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return redirect{}, fmt.Errorf("the redirect %q has no valid port", Clean(raw))
		}
		r.port = int(n)
	}
	return r, nil
}

// authority is host and port as in a Host header.
func (r redirect) authority() string {
	return net.JoinHostPort(r.host, strconv.Itoa(r.port))
}

// uri is the redirect_uri parameter.
func (r redirect) uri() string {
	return "http://" + r.authority() + r.path
}

// isPath says whether a request's path is the redirect's.
func (r redirect) isPath(path string) bool {
	return path == r.path || r.path == "" && path == "/"
}

// isHost says whether a Host header names the redirect's host and port. A
// name of someone else's that resolves to this machine is not it (DNS
// rebinding).
func (r redirect) isHost(header string) bool {
	if r.port == 80 && !strings.HasSuffix(header, ":80") {
		header += ":80"
	}
	return strings.EqualFold(header, r.authority())
}

// ListenError says that the redirect's port can't be used.
type ListenError struct {
	// Host and Port of the redirect; port 0: any.
	Host string
	Port int
	Err  error
	// Setting of the profile that names the port; "" is redirect.
	Setting string
}

// Error implements error.
func (e *ListenError) Error() string {
	switch {
	case e.Port == 0:
		return fmt.Sprintf("no port of %s can be had for the browser's answer: %v", e.Host, reason(e.Err))
	case isInUse(e.Err):
		return fmt.Sprintf("port %d of %s, where the browser's answer should come, is in use by another program", e.Port, e.Host)
	}
	return fmt.Sprintf("port %d of %s, where the browser's answer should come, can't be had: %v", e.Port, e.Host, reason(e.Err))
}

// Unwrap gives the failure behind it.
func (e *ListenError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ListenError) Hint() string {
	setting := e.Setting
	switch {
	case e.Port == 0 && setting != "":
		return "sign out at the provider's own page"
	case e.Port == 0:
		return "sign in without a local port: use the device grant"
	case setting == "":
		setting = "redirect"
	}
	return fmt.Sprintf("end the program that uses port %d, or set the profile's %s to another port; port 0 takes any free one, where the provider allows it", e.Port, setting)
}

func isInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048)) || // WSAEADDRINUSE
		errors.Is(err, syscall.Errno(10013)) // WSAEACCES: in use by one that keeps it for itself
}

// reason leaves out the address, which is in the text already.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// listen opens the redirect's port, on both address families for a
// "localhost", since the browser may take either. It gives the redirect with
// the port that it got.
func (r redirect) listen(ctx context.Context) ([]net.Listener, redirect, error) {
	config := net.ListenConfig{Control: exclusive}
	if r.host != "localhost" {
		l, err := config.Listen(ctx, "tcp", r.authority())
		if err != nil {
			return nil, r, &ListenError{Host: r.host, Port: r.port, Err: err}
		}
		r.port = portOf(l)
		return []net.Listener{l}, r, nil
	}
	// With any port, the one that IPv4 has free may be taken on IPv6.
	var last error
	for range 5 {
		v4, err4 := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
		port := r.port
		if err4 == nil {
			port = portOf(v4)
		}
		v6, err6 := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		switch {
		case err4 == nil && err6 == nil:
			r.port = port
			return []net.Listener{v4, v6}, r, nil
		case err4 == nil && !isInUse(err6): // no IPv6 here
			r.port = port
			return []net.Listener{v4}, r, nil
		case err6 == nil && !isInUse(err4): // no IPv4 here
			r.port = portOf(v6)
			return []net.Listener{v6}, r, nil
		case err4 == nil:
			_ = v4.Close()
			last = err6
		case err6 == nil:
			_ = v6.Close()
			last = err4
		default:
			last = err4
		}
		if r.port != 0 {
			break
		}
	}
	return nil, r, &ListenError{Host: r.host, Port: r.port, Err: last}
}

func portOf(l net.Listener) int {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}
