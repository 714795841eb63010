package oidcflow

import (
	"errors"
	"net/http"
	"testing"

	"golang.org/x/oauth2"
)

func TestUserInfo(t *testing.T) {
	f := newFake(t)
	f.on("/userinfo", saysJSON(200, `{"sub":"alice","email":"alice@example.com"}`))
	got, err := f.client().UserInfo(t.Context(), f.metadata(), NewSecret("at"), "alice")
	if err != nil || string(got) != `{"sub":"alice","email":"alice@example.com"}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, head := f.last(); head.Get("Authorization") != "Bearer at" {
		t.Errorf("%q", head.Get("Authorization"))
	}

	var other *SubjectError
	for _, body := range []string{`{"sub":"mallory"}`, `{}`, `{"sub":5}`, `{"Sub":"alice"}`} {
		f.on("/userinfo", saysJSON(200, body))
		if _, err := f.client().UserInfo(t.Context(), f.metadata(), NewSecret("at"), "alice"); !errors.As(err, &other) {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.on("/userinfo", says(200, "application/jwt; charset=utf-8", "a.b.c"))
	if _, err := f.client().UserInfo(t.Context(), f.metadata(), NewSecret("at"), "alice"); !errors.Is(err, ErrSignedUserInfo) {
		t.Errorf("%v", err)
	}
	var answer *oauth2.RetrieveError
	for _, h := range []http.HandlerFunc{saysJSON(401, `{}`), says(200, "text/html", "<html>"), saysJSON(204, ``)} {
		f.on("/userinfo", h)
		if _, err := f.client().UserInfo(t.Context(), f.metadata(), NewSecret("at"), "alice"); !errors.As(err, &answer) {
			t.Errorf("%v", err)
		}
	}
	if _, err := f.client().UserInfo(t.Context(), &Metadata{}, NewSecret("at"), "alice"); !errors.Is(err, ErrNoUserInfo) {
		t.Errorf("%v", err)
	}
}
