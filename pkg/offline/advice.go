package offline

import (
	"crypto/x509"
	"errors"
	"net/http"
)

// What to do about the usual causes on this side of the provider.
const (
	adviceProxyLogin = "give the proxy's user name and password: HTTPS_PROXY=http://user:password@proxy:port; what is special in them as %40"
	adviceSocksLogin = "give the proxy's user name and password: HTTPS_PROXY=socks5://user:password@proxy:port; what is special in them as %40"
	adviceProxy      = "ask whoever runs the proxy, or name the provider in NO_PROXY"
	advicePortal     = "a captive portal: open any http:// page in the browser and sign in to the network; if there is none, "
	adviceAuthority  = "if the network or the provider has an authority of its own, name its certificate in ca_file"
)

// Advice says what to do about a failure whose cause is known to be on the way
// to the provider: the network's sign-in page, the proxy, a certificate. "" is
// that there is nothing to do but to wait, as far as one can tell.
func Advice(err error) string {
	proxy, isProxy := errors.AsType[proxyError](err)
	switch {
	case isProxy && proxy.ProxyStatus() == http.StatusProxyAuthRequired:
		return adviceProxyLogin
	case isProxy && classifyProxy(proxy.ProxyStatus()) == NotTheProvider:
		return adviceProxy
	case isSocksRefusal(err):
		return adviceSocksLogin
	case Classify(err) == NotTheProvider:
		return advicePortal + "look at the proxy (HTTPS_PROXY, NO_PROXY) and the issuer"
	case is[x509.HostnameError](err):
		return advicePortal + "check the issuer's host name"
	case is[x509.UnknownAuthorityError](err):
		return adviceAuthority
	}
	return ""
}
