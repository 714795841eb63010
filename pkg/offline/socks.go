package offline

import (
	"errors"
	"net"
	"strings"
)

// socksIn is the failure of a SOCKS proxy in err, as net/http reports it; nil
// if there is none.
func socksIn(err error) *net.OpError {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !strings.HasPrefix(op.Op, "socks ") {
		return nil
	}
	return op
}

// describeSocks names the proxy, which the text alone does not; "" if it is
// none that failed.
func describeSocks(err error) string {
	op := socksIn(err)
	switch {
	case op == nil:
		return ""
	case is[*net.OpError](op.Err):
		return "the proxy can't be reached"
	case isSocksRefusal(err):
		return "the proxy (SOCKS) does not take the user name and password, or wants some"
	}
	return "the proxy (SOCKS) could not get through: " + rootText(op.Err)
}

// isSocksRefusal says whether a SOCKS proxy wants to know who it is, RFC 1928
// §3 and RFC 1929 §2. net/http's errors for it have no type.
func isSocksRefusal(err error) bool {
	op := socksIn(err)
	if op == nil {
		return false
	}
	text := op.Err.Error()
	return strings.Contains(text, "authentication")
}
