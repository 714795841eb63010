// Package session joins the flow (pkg/oidcflow), the decision (pkg/offline)
// and the storage (pkg/cache) into what a program wants: sign in, get a
// token, see the state, sign out.
package session
