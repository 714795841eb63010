package oidcflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// echo answers with what it was sent, in the texts of an OAuth error.
func echo(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	text := `{"error":"invalid_grant","error_description":"got ` + url.PathEscape(r.PostForm.Encode()) + ` and `
	for _, field := range secretFields {
		text += r.PostForm.Get(field) + " "
	}
	text += r.Header.Get("Authorization") + `","error_uri":"https://id.example.com/?t=` + r.PostForm.Get("refresh_token") + `"}`
	saysJSON(400, text)(w, r)
}

func TestEchoedSecretsAreMasked(t *testing.T) {
	f := newFake(t)
	f.on("/token", echo)
	for _, method := range []string{authBasic, authPost} {
		c := f.client()
		c.AuthMethod = method
		c.ClientSecret = func(context.Context) (Secret, error) { return NewSecret("hush+hush/12"), nil }
		_, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt/secret=1"))
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.ErrorCode != "invalid_grant" || !strings.Contains(e.ErrorDescription, masked) {
			t.Fatalf("%s: %v", method, err)
		}
		all := err.Error() + e.ErrorDescription + e.ErrorURI
		for _, secret := range []string{"rt/secret", "rt%2Fsecret", "hush+hush", "hush%2Bhush", "Basic b"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: %q is in %q", method, secret, all)
			}
		}
	}
}

func TestMask(t *testing.T) {
	a := &answer{secrets: sentSecrets(http.Header{"Dpop": {"proof.of.it"}}, url.Values{
		"code": {"abcd", "abcdefgh"}, "refresh_token": {"x"}, "client_id": {"the-client"},
	})}
	for text, want := range map[string]string{
		"the code abcdefgh of the-client": "the code " + masked + " of the-client",
		"x, abcd":                         "x, " + masked,
		"ab\x1b[31mcd":                    masked,
		"proof.of.it":                     masked,
		"nothing":                         "nothing",
		"":                                "",
	} {
		if got := a.shown(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
	if text := (&answer{}).shown("as it is"); text != "as it is" {
		t.Errorf("%q", text)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("invalid code abcdef", "abcdef")
	f.Add("a\x1b[31mbcdef", "abcdef")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < minMasked || secret != Clean(secret) || strings.Contains(masked, secret) {
			return
		}
		a := &answer{secrets: sentSecrets(nil, url.Values{"code": {secret}})}
		got := a.shown(text)
		// The mark itself may have completed one again with what stood around
		// it; nothing of the kind comes out of a text without the mark.
		if strings.Contains(got, secret) && !strings.Contains(got, masked) {
			t.Errorf("%q has %q in it", got, secret)
		}
	})
}
