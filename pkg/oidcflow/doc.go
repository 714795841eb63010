// Package oidcflow talks to an OpenID provider: discovery, sign-in with an
// authorization code and PKCE through a loopback redirect (RFC 8252), the
// device grant (RFC 8628), refresh, the checks of an ID token (OpenID Connect
// Core §3.1.3.7), userinfo, revocation (RFC 7009) and the end of the session.
//
// It keeps nothing: tokens come in and go out as values. An HTTP answer that
// is no success is an error with an [golang.org/x/oauth2.RetrieveError] in its
// chain, and a failed connection keeps the standard library's error in its
// chain, so that a caller can tell an outage from a rejection. The text of
// every error is safe to show: it never has a token or the body of an answer.
package oidcflow
