//go:build !linux

package oidcflow

import "net/http"

// peersAreKnown: here it is the address that nobody can guess on which all
// rests.
func peersAreKnown() bool { return true }

// peerMayKnow lets everyone who knows the address see what is there.
func peerMayKnow(*http.Request) bool { return true }
