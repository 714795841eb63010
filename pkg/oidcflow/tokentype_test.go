package oidcflow

import (
	"errors"
	"strings"
	"testing"
)

// TestCheckTokenType: RFC 6749 §7.1, and §5.1 about upper and lower case.
func TestCheckTokenType(t *testing.T) {
	for name, want := range map[string]struct{ any, exchanged bool }{
		"Bearer": {true, true}, "bearer": {true, true}, "BEARER ": {true, true}, "BearerToken": {true, true},
		"DPoP": {true, true}, "dpop": {true, true}, "N_A": {false, true}, "n_a": {false, true},
		"mac": {}, "JWT": {}, "pop": {}, "": {}, "Bearer DPoP": {}, "access_token": {}, "\x1b[31mmac": {},
	} {
		for exchanged, good := range map[bool]bool{false: want.any, true: want.exchanged} {
			err := CheckTokenType(name, exchanged)
			var wrong *TokenTypeError
			if good != (err == nil) || err != nil && (!errors.As(err, &wrong) || strings.ContainsRune(err.Error(), 0x1b) || wrong.Hint() == "") {
				t.Errorf("%q, exchanged %v: %v", name, exchanged, err)
			}
		}
	}
}

// TestTokenTypeOfAnswers: where it can still be refused it is; a refresh keeps
// what came with it.
func TestTokenTypeOfAnswers(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, `{"access_token":"at","token_type":"mac","refresh_token":"rt"}`))
	var wrong *TokenTypeError
	if _, err := f.client().ClientCredentials(t.Context(), f.metadata()); !errors.As(err, &wrong) || wrong.Type != "mac" {
		t.Errorf("a grant: %v", err)
	}
	tokens, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("former"))
	if err != nil || tokens.Refresh.Reveal() != "rt" {
		t.Fatalf("a refresh: %v", err)
	}
	md := f.metadata()
	if _, err := f.client().UserInfoFor(t.Context(), md, tokens, "sub"); md.UserinfoEndpoint == "" || !errors.As(err, &wrong) {
		t.Errorf("userinfo with it: %v", err)
	}
}
