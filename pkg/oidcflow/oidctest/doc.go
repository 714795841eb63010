// Package oidctest is an OpenID provider for tests: a real HTTP server on
// loopback that does the authorization code flow with PKCE, refresh tokens with
// rotation, the device grant, userinfo, revocation and end session, and that
// fails in every way a test asks for. It knows pushed requests (RFC 9126), DPoP
// (RFC 9449), client keys and certificates (RFC 7523, RFC 8705), form_post, and
// the grants without a person, and checks what it is sent with the standard
// library alone.
//
//	p := oidctest.New(oidctest.Options{})
//	defer p.Close()
//	p.Set(oidctest.TokenEndpoint, oidctest.Status(503).RetryAfter("7"))
//	…
//	p.Clear()
//
// There are three kinds of switches, all of them usable while the provider
// runs and from many goroutines:
//
//   - a [Fault] replaces the answer of one endpoint: [Provider.Set] and
//     [Provider.Clear];
//   - [Settings] change what the provider says when it answers as it should:
//     [Provider.Change];
//   - [Provider.Down], [Provider.BlackHole] and [Provider.SetTLS] are failures
//     of the whole server.
//
// It is for tests and demonstrations: it asks nobody for a password.
package oidctest
