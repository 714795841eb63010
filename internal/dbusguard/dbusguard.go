// Package dbusguard keeps the D-Bus session bus out of sight while
// github.com/99designs/keyring initialises.
//
// That package connects to the session bus in its init functions, without a
// time limit: each start of the program would wait for the bus, a bus that
// never answers would hang even --help, and without a bus it would start
// dbus-launch, which leaves a daemon behind. What this program wants of D-Bus
// it does itself, later, and under a deadline (pkg/cache).
//
// The order: since Go 1.21, of the packages whose imports are ready, the first
// by import path is initialised first. This package imports os alone, so it is
// ready before keyring, which also needs net and os/exec; a test holds that.
package dbusguard
