package oidcflow

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func answerOf(status int, body string) *answer {
	return &answer{Response: &http.Response{StatusCode: status, Header: http.Header{}}, body: []byte(body)}
}

func TestTokenAnswer(t *testing.T) {
	got, err := answerOf(200, `{"access_token":"at","token_type":"bearer","refresh_token":"rt","id_token":"a.b.c","expires_in":3600,"scope":"openid  email"}`).tokens("test", testNow)
	if err != nil {
		t.Fatal(err)
	}
	if got.Access.Reveal() != "at" || got.Refresh.Reveal() != "rt" || got.ID.Reveal() != "a.b.c" || got.TokenType != "bearer" ||
		!got.Expiry.Equal(testNow.Add(time.Hour)) || !got.Obtained.Equal(testNow) || !slices.Equal(got.Scopes, []string{"openid", "email"}) {
		t.Errorf("%+v", got)
	}

	got, err = answerOf(200, `{"access_token":"at","token_type":"Bearer","refresh_token":null,"id_token":5,"scope":["a","b"]}`).tokens("test", testNow)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Refresh.IsZero() || !got.ID.IsZero() || !got.Expiry.IsZero() || !slices.Equal(got.Scopes, []string{"a", "b"}) {
		t.Errorf("%+v", got)
	}
	got, err = answerOf(200, `{"access_token":"at","token_type":"Bearer"}`).tokens("test", testNow)
	if err != nil || got.Scopes != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTokenAnswerRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		code   string
	}{
		{"empty", 200, "", ""},
		{"no content", 204, "", ""},
		{"created", 201, `{"access_token":"at","token_type":"Bearer"}`, ""},
		{"object without anything", 200, "{}", ""},
		{"null", 200, "null", ""},
		{"list", 200, `[{"access_token":"at","token_type":"Bearer"}]`, ""},
		{"HTML", 200, "<html>sign in to the wifi</html>", ""},
		{"truncated", 200, `{"access_token":"at","token_ty`, ""},
		{"trailing", 200, `{"access_token":"at","token_type":"Bearer"}<html>`, ""},
		{"no type", 200, `{"access_token":"at"}`, ""},
		{"no token", 200, `{"token_type":"Bearer"}`, ""},
		{"other case", 200, `{"Access_Token":"at","Token_Type":"Bearer"}`, ""},
		{"token is a number", 200, `{"access_token":1,"token_type":"Bearer"}`, ""},
		{"token with a line break", 200, `{"access_token":"at\nquit=1","token_type":"Bearer"}`, ""},
		{"token not in ASCII", 200, `{"access_token":"ät","token_type":"Bearer"}`, ""},
		{"error with 200", 200, `{"error":"invalid_grant","access_token":"at","token_type":"Bearer"}`, "invalid_grant"},
		{"error", 400, `{"error":"invalid_grant","error_description":"gone \u001b[31m"}`, "invalid_grant"},
		{"error of the wrong kind", 400, `{"error":{"code":5}}`, ""},
		{"redirect", 302, "", ""},
		{"trouble", 503, "busy", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := answerOf(tc.status, tc.body).tokens("test", testNow)
			var e *oauth2.RetrieveError
			if !errors.As(err, &e) {
				t.Fatalf("%v", err)
			}
			if e.Response.StatusCode != tc.status || e.ErrorCode != tc.code {
				t.Errorf("%d %q", e.Response.StatusCode, e.ErrorCode)
			}
			if strings.Contains(err.Error(), "at\"") || strings.ContainsRune(err.Error(), 0x1b) || strings.Contains(err.Error(), "wifi") {
				t.Errorf("text %q", err)
			}
			if tc.status < 300 && e.Body != nil {
				t.Error("the body of a success is kept: it may have tokens")
			}
		})
	}
	large := answerOf(200, `{"access_token":"at","token_type":"Bearer"}`)
	large.tooLarge = true
	if _, err := large.tokens("test", testNow); err == nil {
		t.Error("an answer that was cut was taken")
	}
}

func TestLifetime(t *testing.T) {
	for raw, want := range map[string]time.Duration{
		`3600`: time.Hour, `3600.5`: time.Hour + 500*time.Millisecond, `"3600"`: time.Hour, `" 3600.0 "`: time.Hour, `3.6e3`: time.Hour,
		``: 0, `null`: 0, `0`: 0, `-5`: 0, `"0"`: 0, `"soon"`: 0, `"NaN"`: 0, `"Inf"`: 0, `"0x10"`: 0, `""`: 0, `"1_000"`: 0,
		`1e300`: 0, `"1e400"`: 0, `315360001`: 0, `true`: 0, `[3600]`: 0, `{}`: 0,
		`315360000`: 10 * 365 * 24 * time.Hour,
	} {
		if got := lifetime(json.RawMessage(raw)); got != want {
			t.Errorf("expires_in %s: %v, want %v", raw, got, want)
		}
	}
}

func FuzzLifetime(f *testing.F) {
	for _, s := range []string{"3600", `"3600"`, "1e9", "-1", `"NaN"`, "0.0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if d := lifetime(json.RawMessage(raw)); d < 0 || d > maxLifetime {
			t.Fatal(d)
		}
	})
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, `{"access_token":"at","token_type":"Bearer","expires_in":"60"}`)
	f.Add(400, `{"error":"invalid_grant"}`)
	f.Add(200, `<html>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		got, err := answerOf(status, body).tokens("test", testNow)
		if err == nil {
			if status != 200 || got.Access.IsZero() || got.TokenType == "" || strings.ContainsAny(got.Access.Reveal(), "\r\n\x00") {
				t.Fatalf("%d %+v", status, got)
			}
			return
		}
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.Response.StatusCode != status || err.Error() != Clean(err.Error()) && len(err.Error()) < 300 {
			t.Fatal(err)
		}
	})
}
