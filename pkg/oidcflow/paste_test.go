package oidcflow

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestPaste(t *testing.T) {
	x := expected{state: "s-1", issuer: testIssuer}
	iss := url.QueryEscape(testIssuer)
	for _, tc := range []struct {
		name, text string
		required   bool
		code       string // "": not taken
	}{
		{"whole", "http://127.0.0.1:1234/callback?code=c&state=s-1", false, "c"},
		{"line end", "http://127.0.0.1:1234/callback?code=c&state=s-1\r\n", false, "c"},
		{"quoted", ` "http://127.0.0.1:1234/callback?code=c&state=s-1" `, false, "c"},
		{"angle brackets", "<http://127.0.0.1:1234/callback?code=c&state=s-1>", false, "c"},
		{"bracketed paste", "\x1b[200~http://127.0.0.1:1234/callback?code=c&state=s-1\x1b[201~", false, "c"},
		{"without scheme", "127.0.0.1:1234/callback?code=c&state=s-1", false, "c"},
		{"query", "code=c&state=s-1", false, "c"},
		{"query with its mark", "?code=c&state=s-1", false, "c"},
		{"fragment", "http://127.0.0.1:1234/callback?code=c&state=s-1#_=_", false, "c"},
		{"escaped", "http://127.0.0.1:1234/callback?code=c%2F%2B&state=s-1", false, "c/+"},
		{"issuer", "code=c&state=s-1&iss=" + iss, true, "c"},

		{"another issuer", "code=c&state=s-1&iss=https%3A%2F%2Fevil.example", false, ""},
		{"issuer missing", "code=c&state=s-1", true, ""},
		{"code alone", "c", false, ""},
		{"code in a URL without state", "http://127.0.0.1:1234/callback?code=c", false, ""},
		{"query without state", "code=c", false, ""},
		{"other state", "code=c&state=s-2", false, ""},
		{"longer state", "code=c&state=s-11", false, ""},
		{"empty state", "code=c&state=", false, ""},
		{"state twice", "code=c&state=s-1&state=s-1", false, ""},
		{"code twice", "code=c&code=d&state=s-1", false, ""},
		{"authorization URL", testIssuer + "/authorize?response_type=code&state=s-1", false, ""},
		{"empty", "", false, ""},
		{"blank", " \n", false, ""},
		{"something else", "git status", false, ""},
		{"broken escape", "http://127.0.0.1:1234/callback?code=%zz&state=s-1", false, ""},
		{"broken URL", "http://[::1/callback?code=hush&state=s-1", false, ""},
		{"too long", "code=c&state=s-1&x=" + strings.Repeat("x", maxPaste), false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := x
			x.issuerRequired = tc.required
			got, err := x.paste(tc.text)
			if (err != nil) != (tc.code == "") || got.code.Reveal() != tc.code {
				t.Errorf("%q, %v", got.code.Reveal(), err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("%q quotes the text", err)
			}
		})
	}
	got, err := x.paste("error=access_denied&error_description=no%1b%5b31m&state=s-1")
	var refused *AuthorizationError
	if err != nil || !errors.As(got.verdict, &refused) || refused.Code != "access_denied" || refused.Description != "no" {
		t.Errorf("%v, %v", got.verdict, err)
	}
	if _, err := x.paste("error=access_denied&state=s-2"); err == nil {
		t.Error("a refusal of another sign-in was taken")
	}
}

func FuzzPaste(f *testing.F) {
	for _, s := range []string{"code=c&state=s-1", "http://127.0.0.1/callback?code=c&state=s-1", "?state=s-1&error=x", "\x1b[200~code=c", "<<<"} {
		f.Add(s)
	}
	x := expected{state: "s-1", issuer: testIssuer}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := x.paste(text)
		switch {
		case err != nil:
		case !strings.Contains(text, "state"), got.code.IsZero() && got.verdict == nil:
			t.Fatalf("%q was taken", text)
		}
	})
}
