package oidctest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"
)

// Offer says whether the provider has a feature.
type Offer string

// What a provider does about a feature.
const (
	Absent   Offer = "" // it does not know it
	Offered  Offer = "offered"
	Required Offer = "required"
)

// requestURIPrefix is RFC 9126 §2.2.
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// pushed is an authorization request that waits for the browser.
type pushed struct {
	form    url.Values
	client  string
	expires time.Time
}

// push is RFC 9126 §2: the request is checked as at the authorization
// endpoint, and the client as at the token endpoint.
func (p *Provider) push(w http.ResponseWriter, r *http.Request) {
	set := p.Settings()
	if set.PushedRequests == Absent {
		http.NotFound(w, r)
		return
	}
	client, bad := p.clientRequest(r)
	form := cloneValues(r.PostForm)
	if bad == nil {
		bad = p.checkPushed(client, form)
	}
	// RFC 9449 §10.1: a proof here binds the code to its key.
	if bad == nil && set.DPoP != Absent && len(r.Header.Values("DPoP")) > 0 {
		var key string
		if key, bad = p.checkProof(w, r, ""); bad == nil {
			if jkt := form.Get("dpop_jkt"); jkt != "" && jkt != key {
				bad = refuse("invalid_dpop_proof", "dpop_jkt names another key")
			}
			form.Set("dpop_jkt", key)
		}
	}
	if bad != nil {
		oauthError(w, bad.status, bad.code, bad.description)
		return
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		form.Del(name)
	}
	life := set.RequestURILifetime
	if life == 0 {
		life = time.Minute
	}
	form.Set("client_id", client.ID)
	uri := requestURIPrefix + rand.Text()
	p.mu.Lock()
	p.pushes[uri] = pushed{form: form, client: client.ID, expires: p.now().Add(life)}
	p.mu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int64(life / time.Second)})
}

func (p *Provider) checkPushed(client Client, form url.Values) *problem {
	if form.Has("request_uri") {
		return refuse("invalid_request", "a pushed request has no request_uri") // §2.1
	}
	if !client.allows(form.Get("redirect_uri")) {
		return refuse("invalid_request", "the redirect_uri is not registered for this client")
	}
	if name, description := wrongRequest(form); name != "" {
		return refuse(name, description)
	}
	return nil
}

// pulled gives the request of a request_uri, once and in its time, §4. What
// else stands in the URL does not count. The text says what is wrong.
func (p *Provider) pulled(form url.Values) (url.Values, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	uri := form.Get("request_uri")
	request, ok := p.pushes[uri]
	switch {
	case uri == "":
		return form, ""
	case !ok:
		return nil, "The request_uri is not known, or was used before."
	case request.client != form.Get("client_id"):
		return nil, "The request_uri belongs to another client."
	}
	delete(p.pushes, uri)
	if !p.now().Before(request.expires) {
		return nil, "The request_uri has expired."
	}
	return request.form, ""
}
