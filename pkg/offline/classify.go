package offline

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// Classify gives the category of a failed exchange. It understands the
// standard library's network, TLS and certificate errors, what a proxy
// answered (an error with a method ProxyStatus() int) and
// [oauth2.RetrieveError] for every HTTP answer that was no success, each at
// any depth of a wrapped or joined error. A failure at another host than the
// one that was asked (an error with a method RedirectedTo() string) is none of
// the provider's.
//
// A failure of the transport comes before an answer: an answer that was cut
// off may not be the provider's last word. An interrupt ([context.Canceled])
// is no failure of the provider and [Unknown]; callers handle it before.
func Classify(err error) Category {
	if errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return Unknown
	}
	if proxy, ok := errors.AsType[proxyError](err); ok {
		return classifyProxy(proxy.ProxyStatus())
	}
	if is[redirectedError](err) {
		return NotTheProvider
	}
	if c := classifyTransport(err); c != Unknown {
		return c
	}
	if answer := answerIn(err); answer != nil {
		return classifyAnswer(answer)
	}
	return Unknown
}

// proxyError is a proxy that would not open a tunnel.
type proxyError interface {
	error
	ProxyStatus() int
}

// classifyProxy: a proxy that answers 5xx to CONNECT could not reach the
// provider; any other refusal is the proxy's own opinion.
func classifyProxy(status int) Category {
	if status >= 500 && status != http.StatusNetworkAuthenticationRequired {
		return NetworkUnavailable
	}
	return NotTheProvider
}

func classifyTransport(err error) Category {
	switch {
	case err == nil:
		return Unknown
	case is[*net.DNSError](err):
		return NetworkUnavailable
	case isProxyDown(err):
		return NetworkUnavailable
	case isTimeout(err):
		return NetworkTimeout
	case isTLS(err):
		return TLSError
	case errors.Is(err, io.ErrUnexpectedEOF):
		return NetworkTimeout
	case is[*net.OpError](err), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), isRefused(err), isReset(err), anywhere(err, isClosed):
		return NetworkUnavailable
	default:
		return Unknown
	}
}

// isProxyDown says whether net/http could not get to the proxy at all. One
// that was reached and has a bad certificate is another matter.
func isProxyDown(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect" && !isTLS(err)
}

// isTimeout looks at every error of the tree: url.Error has a method Timeout
// that asks no further than the error right below it.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || anywhere(err, func(e error) bool {
		t, ok := e.(interface{ Timeout() bool })
		return ok && t.Timeout()
	})
}

func isTLS(err error) bool { return handshakeIn(err) != nil }

// handshakeIn is the failure of a handshake or certificate in err, or nil.
func handshakeIn(err error) error {
	var found error
	anywhere(err, func(e error) bool {
		if isHandshake(e) {
			found = e
		}
		return found != nil
	})
	return found
}

// isHandshake knows the errors of crypto/tls and crypto/x509. An alert is of an
// unexported type inside a net.OpError, under one of two names. What has no
// type at all (no common version or cipher suite, a malformed message or
// certificate) is known by its text alone.
func isHandshake(e error) bool {
	switch e := e.(type) {
	case *tls.CertificateVerificationError, x509.UnknownAuthorityError, x509.HostnameError,
		x509.CertificateInvalidError, x509.SystemRootsError, tls.RecordHeaderError, tls.AlertError:
		return true
	case *net.OpError:
		return e.Op == "remote error" || e.Op == "local error"
	case *oauth2.RetrieveError:
		return false // its text is the server's
	default:
		text := e.Error()
		return e == http.ErrSchemeMismatch || strings.HasPrefix(text, "tls: ") || strings.HasPrefix(text, "x509: ") //nolint:errorlint // one error of a tree
	}
}

// isClosed knows the errors of net/http for a connection that the other side
// closed, which have neither a type nor a cause in them.
func isClosed(e error) bool {
	if _, ok := e.(*oauth2.RetrieveError); ok {
		return false // its text is the server's
	}
	for _, text := range []string{
		"http: server closed idle connection",
		"http2: client connection lost",
		"http2: client conn could not be established", // such as by a server that misses a certificate, with TLS 1.3
		"http2: server sent GOAWAY",
		"http2: Transport received Server's graceful shutdown GOAWAY",
	} {
		if strings.HasPrefix(e.Error(), text) {
			return true
		}
	}
	return false
}

// is says whether there is an error of type E in the tree.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// anywhere says whether an error of the tree matches, the outermost first.
func anywhere(err error, match func(error) bool) bool {
	if err == nil {
		return false
	}
	if match(err) {
		return true
	}
	for _, inner := range below(err) {
		if anywhere(inner, match) {
			return true
		}
	}
	return false
}

// below gives the errors that err wraps.
func below(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}
