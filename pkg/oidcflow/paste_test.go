package oidcflow

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestPaste(t *testing.T) {
	x := expected{state: "s-1", issuer: testIssuer, bound: true, authority: "127.0.0.1:1234"}
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
		{"code alone", "4/0AX4XfWhe-Bxx~yz_A", true, "4/0AX4XfWhe-Bxx~yz_A"},
		{"code alone, quoted", " '4/0AX4XfWhe-Bxx~yz_A'\n", false, "4/0AX4XfWhe-Bxx~yz_A"},
		{"code alone, escaped", "4%2F0AX4XfWhe-Bxx~yz_A", false, "4/0AX4XfWhe-Bxx~yz_A"},
		{"code alone with padding", "YWJjZGVmZ2hpamtsbW5v==", false, "YWJjZGVmZ2hpamtsbW5v=="},
		{"code of three parts", "0d1ff1a3-8d0a-4a08-b4a4.e0b5c9a6.3d4f", false, "0d1ff1a3-8d0a-4a08-b4a4.e0b5c9a6.3d4f"},

		{"a word", "help", false, ""},
		{"a short code", "0123456789abcde", false, ""},
		{"code and more", "4/0AX4XfWhe-Bxx~yz_A&session_state=x", false, ""},
		{"code and a word", "4/0AX4XfWhe-Bxx~yz_A please", false, ""},
		{"code with a control character", "4/0AX4XfWhe-\x1bBxx~yz_A", false, ""},
		{"code with a broken escape", "4%zz0AX4XfWhe-Bxx~yz_A", false, ""},
		{"escaped line end", "4%0A0AX4XfWhe-Bxx~yz_A", false, ""},
		{"not ASCII", "4/0AX4XfWhe-Bxx~yz_Ä", false, ""},
		{"query with a code alone", "code=4/0AX4XfWhe-Bxx~yz_A", false, ""},
		{"address without scheme and query", "127.0.0.1:1234/callback", false, ""},
		{"other scheme", "ftp://127.0.0.1:1234/callback", false, ""},
		{"too long a code", strings.Repeat("x", maxCode+1), false, ""},
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

// Where nothing binds a code to this sign-in, its state has to.
func TestPasteCodeUnbound(t *testing.T) {
	x := expected{state: "s-1", issuer: testIssuer}
	if got, err := x.paste("4/0AX4XfWhe-Bxx~yz_A"); !errors.Is(err, errPasteCode) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := x.paste("code=4/0AX4XfWhe-Bxx~yz_A&state=s-1"); err != nil {
		t.Error(err)
	}
}

func TestPasteFormPost(t *testing.T) {
	x := expected{state: "s-1", issuer: testIssuer, bound: true, formPost: true, authority: "127.0.0.1:1234"}
	if _, err := x.paste("http://127.0.0.1:1234/callback"); !errors.Is(err, errPasteForm) {
		t.Errorf("%v", err)
	}
	if got, err := x.paste("4/0AX4XfWhe-Bxx~yz_A"); err != nil || got.code.IsZero() {
		t.Errorf("%v", err)
	}
}

func FuzzPaste(f *testing.F) {
	for _, s := range []string{"code=c&state=s-1", "http://127.0.0.1/callback?code=c&state=s-1", "?state=s-1&error=x", "\x1b[200~code=c", "<<<"} {
		f.Add(s)
	}
	f.Add("4%2F0AX4XfWhe-Bxx~yz_A")
	x := expected{state: "s-1", issuer: testIssuer, bound: true}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := x.paste(text)
		switch {
		case err != nil:
		case got.code.IsZero() && got.verdict == nil:
			t.Fatalf("%q was taken without a code", text)
		case strings.Contains(text, "state"):
		case got.verdict != nil, len(got.code.Reveal()) < minCode, !visible(got.code.Reveal()):
			t.Fatalf("%q was taken", text)
		}
		// A state is never taken from another sign-in.
		if _, err := x.paste("code=0123456789abcdef&state=s-2&x=" + url.QueryEscape(text)); err == nil {
			t.Fatal("a wrong state was taken")
		}
	})
}
