package oidcflow

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// IsLoopback says whether the host (without port) is this machine, RFC 8252
// §7.3 and §8.3.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// maxURL is more than any endpoint's address has.
const maxURL = 2048

// checkEndpoint parses the address of an endpoint: https, or http on this
// machine, RFC 6749 §3.1 and §3.2.
func checkEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL:
		return nil, errors.New("is too long for a URL")
	case err != nil:
		return nil, errors.New("is no URL")
	case !isASCII(raw):
		// RFC 3986 §2. It may be shown on a terminal as it is, and others of
		// Unicode's characters reorder or hide what stands there.
		return nil, errors.New("has characters that no URL has: write a host's name in punycode and escape all others")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("is no https URL")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return nil, errors.New("is not https")
	case u.User != nil:
		return nil, errors.New("has a user name in it")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("has a fragment")
	}
	return u, nil
}

// isASCII says whether the text has printable ASCII characters alone, and no
// space.
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= 0x20 || r >= 0x7f })
}
