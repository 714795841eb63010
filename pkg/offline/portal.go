package offline

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// inTheWay ends the text of what looks as if the network were not open yet.
const inTheWay = "a captive portal or proxy may be in the way"

// portalOf is the host that a redirect leads to; "" if it names none. A
// provider's endpoints don't redirect, and a network that wants a sign-in first
// sends everybody to its page.
func portalOf(e *oauth2.RetrieveError) string {
	if e.Response == nil {
		return ""
	}
	u, err := url.Parse(e.Response.Header.Get("Location"))
	if err != nil {
		return ""
	}
	return shortened(u.Host)
}

// redirectedError is a failure after the request was redirected to another
// host, which RedirectedTo names.
type redirectedError interface {
	error
	RedirectedTo() string
	Unwrap() error
}

// describeRedirected says where a request was led to and what became of it.
// From there no word counts as the provider's.
func describeRedirected(host string, err error) string {
	if host == "" {
		return describe(err)
	}
	became := describe(err)
	if answer := answerIn(err); answer != nil && classifyTransport(err) == Unknown {
		became = fmt.Sprintf("HTTP %d", statusOf(answer))
	}
	return "redirected to " + host + ": the network's sign-in page, or a proxy, may be in the way (" + became + ")"
}

// describeCertificate says whose certificate it is where it is another host's:
// a network that wants a sign-in first answers in the name of every host with
// its own. Of any other problem it is the text.
func describeCertificate(err error) string {
	wrong, ok := errors.AsType[x509.HostnameError](err)
	if !ok || wrong.Certificate == nil {
		return rootText(err)
	}
	return "the certificate is for " + holder(wrong.Certificate) + ", not " + shortened(wrong.Host) + ": " + inTheWay
}

// holder names whom a certificate is for.
func holder(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names[:len(names):len(names)], ip.String())
	}
	switch {
	case len(names) > 2:
		return shortened(names[0]) + ", " + shortened(names[1]) + " and others"
	case len(names) > 0:
		return shortened(strings.Join(names, " and "))
	case c.Subject.CommonName != "":
		return shortened(c.Subject.CommonName)
	}
	return "nobody"
}

// maxName is how much of a name is shown: a host's is no longer than 253.
const maxName = 80

// shortened is a name out of a certificate or an answer, fit for a terminal.
func shortened(name string) string {
	runes := []rune(clean(name))
	if len(runes) > maxName {
		return string(runes[:maxName-1]) + "…"
	}
	return string(runes)
}
