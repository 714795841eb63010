package helper

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Server is what a tool asks a credential for.
type Server struct {
	// Scheme is "https" or "http".
	Scheme string
	// Host is the name, with ":port" where the tool gives one.
	Host string
}

// ParseServer is the server of a URL or of a bare host, which is one of https.
// ok is false for what names no web server, and for a backslash, which some
// programs take for a slash and some for a part of the name before an "@". A
// user, a path and a query are left out.
func ParseServer(text string) (s Server, ok bool) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "https", text
	}
	s.Scheme = strings.ToLower(scheme)
	if s.Scheme != "https" && s.Scheme != "http" || strings.Contains(text, `\`) {
		return Server{}, false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	s.Host = rest[strings.LastIndex(rest, "@")+1:]
	if _, _, ok := splitHost(s.Host); !ok {
		return Server{}, false
	}
	return s, true
}

// Matches says whether one of a profile's host patterns names the server.
func (s Server) Matches(patterns []string) bool {
	return match(patterns, s.Host, defaultPort(s.Scheme))
}

// Match says whether one of the patterns names the host of an https server.
//
// A pattern is a name (git.example.com), a name after "*." for every name
// below it at any depth but not for itself (*.example.com), or an IP address;
// each with or without a port. Without a port it means the scheme's default
// port and no other one, with a port just that port. Case and a final dot don't
// count; names are compared as they are written, so an internationalised name
// is given as the tool sends it. A pattern that [CheckPattern] refuses matches
// nothing.
func Match(patterns []string, host string) bool { return match(patterns, host, "443") }

// CheckPattern says what is wrong with a host pattern.
func CheckPattern(pattern string) error {
	name, _, ok := splitHost(strings.TrimPrefix(pattern, "*."))
	if strings.HasPrefix(pattern, "*.") && addressLike(name) {
		ok = false // an address has no names below it
	}
	if !ok {
		return fmt.Errorf(`host pattern %q: expected a name, "*." and a name, or an address, each with or without ":port"`, pattern)
	}
	return nil
}

// loopback says whether the server is on this machine, where plain http is
// safe: RFC 8252 §8.3. Not with a final dot: resolvers ask the network for
// "localhost.".
func (s Server) loopback() bool {
	name, _, ok := splitHost(s.Host)
	if !ok {
		return false
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback()
	}
	return name == "localhost" && !strings.HasPrefix(s.Host[len(name):], ".")
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

func match(patterns []string, host, defaultPort string) bool {
	name, port, ok := splitHost(host)
	if !ok {
		return false
	}
	if port == "" {
		port = defaultPort
	}
	for _, p := range patterns {
		if CheckPattern(p) != nil {
			continue
		}
		below, wild := strings.CutPrefix(p, "*.")
		wantName, wantPort, _ := splitHost(below)
		if wantPort == "" {
			wantPort = defaultPort
		}
		if port != wantPort {
			continue
		}
		// "*.0.0.1" has been refused, so an address is never below a name.
		if !wild && name == wantName || wild && strings.HasSuffix(name, "."+wantName) {
			return true
		}
	}
	return false
}

// splitHost takes "name", "name:port", "[v6]", "[v6]:port" or a bare IPv6
// address apart, in lower case. ok is false for anything else, also for what
// holds more than a host (a user, a path, white space).
func splitHost(s string) (name, port string, ok bool) {
	if s == "" || len(s) > 300 || strings.ContainsFunc(s, notInHost) {
		return "", "", false
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		return ip.String(), "", true
	}
	if rest, found := strings.CutPrefix(s, "["); found {
		inner, after, found := strings.Cut(rest, "]")
		ip, err := netip.ParseAddr(inner)
		if !found || err != nil || !ip.Is6() {
			return "", "", false
		}
		if after == "" {
			return ip.String(), "", true
		}
		port, found = strings.CutPrefix(after, ":")
		port, valid := cleanPort(port)
		return ip.String(), port, found && valid
	}
	name, port, hasPort := strings.Cut(s, ":")
	if hasPort {
		if port, ok = cleanPort(port); !ok {
			return "", "", false
		}
	}
	name = strings.TrimSuffix(lower(name), ".")
	if name == "" || strings.ContainsAny(name, "[]*") || strings.Contains("."+name+".", "..") {
		return "", "", false
	}
	return name, port, true
}

// lower is the name in lower case. A character that Unicode's lower case turns
// into one of ASCII's stays as it is: the Kelvin sign is no k.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); r < utf8.RuneSelf || l >= utf8.RuneSelf {
			return l
		}
		return r
	}, name)
}

// addressLike says whether the name is an IP address or a part of one: its last
// label is a number, which no domain's is.
func addressLike(name string) bool {
	last := name[strings.LastIndex(name, ".")+1:]
	return strings.Contains(name, ":") || strings.Trim(last, "0123456789") == ""
}

func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@?#"'<>|^%&=,;`, r) || r == '\uFFFD'
}

// cleanPort checks a port and drops leading zeros.
func cleanPort(s string) (string, bool) {
	if s == "" || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	s = strings.TrimLeft(s, "0")
	return s, s != "" && (len(s) < 5 || s <= "65535")
}
