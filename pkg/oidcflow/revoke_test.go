package oidcflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/oauth2"
)

func TestRevoke(t *testing.T) {
	f := newFake(t)
	c := f.client()
	f.on("/revoke", says(200, "", ""))
	if err := c.Revoke(t.Context(), f.metadata(), NewSecret("rt"), "refresh_token"); err != nil {
		t.Error(err)
	}
	if form, _ := f.last(); form.Get("token") != "rt" || form.Get("token_type_hint") != "refresh_token" || form.Get("client_id") != "the-client" {
		t.Errorf("%v", form)
	}
	if err := c.Revoke(t.Context(), f.metadata(), NewSecret("at"), ""); err != nil {
		t.Error(err)
	}
	if form, _ := f.last(); form.Has("token_type_hint") {
		t.Errorf("%v", form)
	}
	c.ClientSecret = func(context.Context) (Secret, error) { return NewSecret("hush"), nil }
	md := f.metadata()
	md.TokenEndpointAuthMethods = []string{"client_secret_post"}
	if err := c.Revoke(t.Context(), md, NewSecret("at"), ""); err != nil {
		t.Error(err)
	}
	if form, _ := f.last(); form.Get("client_secret") != "hush" {
		t.Errorf("%v", form)
	}

	// RFC 7009 §2.2: the body is ignored, and so is what kind of a body an empty
	// one claims to be.
	for _, h := range []http.HandlerFunc{says(200, "text/html; charset=UTF-8", ""), says(201, "text/plain", "done"), says(204, "", "")} {
		f.on("/revoke", h)
		if err := c.Revoke(t.Context(), f.metadata(), NewSecret("rt"), "refresh_token"); err != nil {
			t.Error(err)
		}
	}

	var answer *oauth2.RetrieveError
	for _, h := range []http.HandlerFunc{
		saysJSON(400, `{"error":"unsupported_token_type"}`), saysJSON(503, ``), says(200, "text/html", "<html>sign in to the wifi"),
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusTemporaryRedirect) },
	} {
		f.on("/revoke", h)
		if err := c.Revoke(t.Context(), f.metadata(), NewSecret("rt"), "refresh_token"); !errors.As(err, &answer) {
			t.Errorf("%v", err)
		}
	}
	if err := c.Revoke(t.Context(), &Metadata{}, NewSecret("rt"), ""); !errors.Is(err, ErrNoRevocation) {
		t.Errorf("%v", err)
	}
}

func TestEndSessionURL(t *testing.T) {
	c := testClient()
	for _, endpoint := range []string{testIssuer + "/logout", testIssuer + "/logout?", testIssuer + "/logout?tenant=x"} {
		raw, err := c.EndSessionURL(&Metadata{EndSessionEndpoint: endpoint}, NewSecret("a.b.c"), "http://127.0.0.1/bye", "s-1")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if u.Path != "/logout" || q.Get("id_token_hint") != "a.b.c" || q.Get("post_logout_redirect_uri") != "http://127.0.0.1/bye" ||
			q.Get("state") != "s-1" || q.Get("client_id") != "the-client" || (endpoint[len(endpoint)-1] == 'x') != (q.Get("tenant") == "x") {
			t.Errorf("%s", raw)
		}
	}
	raw, err := c.EndSessionURL(&Metadata{EndSessionEndpoint: testIssuer + "/logout"}, Secret{}, "", "")
	if err != nil || raw != testIssuer+"/logout?client_id=the-client" {
		t.Errorf("%s, %v", raw, err)
	}
	if _, err := c.EndSessionURL(&Metadata{}, Secret{}, "", ""); !errors.Is(err, ErrNoEndSession) {
		t.Errorf("%v", err)
	}
	if _, err := c.EndSessionURL(&Metadata{EndSessionEndpoint: "javascript:alert(1)"}, Secret{}, "", ""); err == nil {
		t.Error("a script as the end session endpoint")
	}
}
