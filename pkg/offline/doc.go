// Package offline decides what becomes of a credential when its identity
// provider can't be reached: serve the cached token, wait before the next try,
// refuse, or sign the user out because the provider said no.
//
// The package is pure. It reads no file, opens no connection and has no clock
// of its own: [Decide] takes the state, the time, the policy and what has
// happened so far, and returns the new state and one [Action]. A caller does
// the input and output in a loop around it, as pkg/session does.
//
// The rule behind every row: an outage never costs a session, and a rejection
// always does. [Classify] tells the two apart.
package offline
