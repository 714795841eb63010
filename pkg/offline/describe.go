package offline

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

// Describe says in a few words what went wrong, for a status line. It never
// contains the body of an answer, of which only an OAuth error's code and
// description are shown, and what names come from a certificate or a
// server are fit for a terminal.
func Describe(err error) string { return clean(describe(err)) }

func describe(err error) string {
	if err == nil {
		return ""
	}
	if proxy, ok := errors.AsType[proxyError](err); ok {
		return fmt.Sprintf("the proxy answered HTTP %d", proxy.ProxyStatus())
	}
	if redirected, ok := errors.AsType[redirectedError](err); ok {
		return describeRedirected(shortened(redirected.RedirectedTo()), redirected.Unwrap())
	}
	switch classifyTransport(err) {
	case NetworkTimeout:
		if isTimeout(err) {
			return "timed out"
		}
		return "the answer was cut off"
	case TLSError:
		return "certificate or TLS problem: " + describeCertificate(handshakeIn(err))
	case NetworkUnavailable:
		return describeNetwork(err)
	default:
		return rootText(err)
	}
}

func describeAnswer(e *oauth2.RetrieveError, wanted string) string {
	status, code := statusOf(e), errorCode(e)
	switch {
	case status == 0 && code != "":
		return code + inTheirWords(e)
	case status == 0:
		return "an answer that can't be read"
	case code != "":
		return fmt.Sprintf("HTTP %d, %s", status, code) + inTheirWords(e)
	case classifyAnswer(e) != NotTheProvider:
		return fmt.Sprintf("HTTP %d", status)
	case status >= 300 && status < 400:
		if host := portalOf(e); host != "" {
			return fmt.Sprintf("HTTP %d redirect: the network's sign-in page at %s, or a proxy, may be in the way", status, host)
		}
		return fmt.Sprintf("HTTP %d redirect: %s", status, inTheWay)
	case status == http.StatusNetworkAuthenticationRequired:
		return fmt.Sprintf("HTTP %d: the network wants a sign-in at its own page first", status) // RFC 6585 §6
	case status < 300:
		return fmt.Sprintf("HTTP %d without %s: %s", status, wanted, inTheWay)
	default:
		return fmt.Sprintf("HTTP %d from something else than the provider: %s", status, inTheWay)
	}
}

// inTheirWords is the provider's own text of an OAuth error, RFC 6749 §5.2:
// often it alone says what is wrong.
func inTheirWords(e *oauth2.RetrieveError) string {
	if text := strings.TrimSpace(e.ErrorDescription); text != "" {
		return ": " + text
	}
	return ""
}

func describeNetwork(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "name " + dns.Name + " can't be resolved"
	}
	if text := describeSocks(err); text != "" {
		return text
	}
	switch {
	case isProxyDown(err):
		return "the proxy can't be reached"
	case isRefused(err):
		return "connection refused"
	case isReset(err), errors.Is(err, io.EOF), anywhere(err, isClosed):
		return "connection closed by the other side"
	default:
		return rootText(err)
	}
}

// Windows has numbers of its own for these, which package syscall does not
// translate (WSAECONNREFUSED, WSAECONNABORTED, WSAECONNRESET). No other system
// uses them.
const (
	windowsRefused = syscall.Errno(10061)
	windowsAborted = syscall.Errno(10053)
	windowsReset   = syscall.Errno(10054)
)

func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, windowsRefused)
}

func isReset(err error) bool {
	for _, number := range []error{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, windowsReset, windowsAborted} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

// rootText is the text of the innermost error of a chain, which has no URL and
// no operation, or of the HTTP answer in it, whose own text has the whole body.
func rootText(err error) string {
	if answer := answerIn(err); answer != nil {
		return describeAnswer(answer, wantedBy(err))
	}
	for {
		inner := below(err)
		if len(inner) == 0 {
			return err.Error()
		}
		err = inner[0]
	}
}

// wantedBy is what the request should have brought, by the operation that the
// error names (a method Operation() string).
func wantedBy(err error) string {
	named, ok := errors.AsType[interface {
		error
		Operation() string
	}](err)
	if !ok {
		return "a token"
	}
	switch named.Operation() {
	case "discovery":
		return "a discovery document"
	case "keys":
		return "keys"
	case "userinfo":
		return "the user's details"
	case "revocation":
		return "the provider's word on it"
	case "device authorization":
		return "a device code"
	case "pushed authorization request":
		return "a request_uri"
	}
	return "a token"
}

// maxText is how much is kept of a text that may come from a server.
const maxText = 300

// clean makes a text one line that a terminal and a log can take: without
// control and escape characters, without what reorders or hides text (Unicode
// category Cf), without broken UTF-8, and no longer than maxText characters.
func clean(s string) string {
	var b strings.Builder
	n, gap := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			gap = n > 0
			continue
		case r == utf8.RuneError || !unicode.IsGraphic(r):
			continue
		}
		if gap {
			b.WriteByte(' ')
			n++
			gap = false
		}
		if n >= maxText {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSuffix(b.String(), " ")
}
