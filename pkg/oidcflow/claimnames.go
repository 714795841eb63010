package oidcflow

import "strings"

// checkedClaims are those that decide whether an ID token is taken.
func checkedClaims() []string {
	return []string{"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "acr"}
}

// checkNames refuses a payload with a member that encoding/json, with which
// go-oidc reads it, takes for one of the claims that are checked, and that is
// none: names differ by case (RFC 7519 §10.1.1, "Sub"), and Unicode has other
// letters that fold to ours ("ſub"). Where a provider lets its users choose the
// names of further claims, such a one would be read in place of the real one.
func (o object) checkNames() error {
	for name := range o {
		for _, claim := range checkedClaims() {
			if name != claim && strings.EqualFold(name, claim) {
				return &IDTokenError{"format", "its claim " + Clean(name) + " can be mistaken for " + claim}
			}
		}
	}
	return nil
}
