// Package oidcflow talks to an OpenID provider: discovery, sign-in with an
// authorization code and PKCE through a loopback redirect (RFC 8252), the
// device grant (RFC 8628), refresh, the checks of an ID token (OpenID Connect
// Core §3.1.3.7), userinfo, revocation (RFC 7009), the end of the session, and
// the grants without a person (RFC 6749 §4.4, RFC 7523, RFC 8693). The client
// authenticates itself with a secret, a signed assertion (RFC 7523) or a
// certificate (RFC 8705); authorization requests can be pushed (RFC 9126), and
// tokens bound to a key (DPoP, RFC 9449).
//
// It keeps nothing: tokens come in and go out as values. An HTTP answer that
// is no success is an error with an [golang.org/x/oauth2.RetrieveError] in its
// chain, and a failed connection keeps the standard library's error in its
// chain, so that a caller can tell an outage from a rejection. The text of
// every error is safe to show: it never has a token or the body of an answer.
package oidcflow
