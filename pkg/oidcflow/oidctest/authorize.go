package oidctest

import (
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// consent is an authorization request that waits for a button.
type consent struct {
	code
	state string
	form  url.Values
}

// authorize is RFC 6749 §4.1.1. It signs in whoever asks.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	form, wrong := p.pulled(r.Form)
	if wrong != "" {
		showPage(w, http.StatusBadRequest, "Wrong request", wrong, "")
		return
	}
	client, known := p.clients[form.Get("client_id")]
	redirect := form.Get("redirect_uri")
	// RFC 6749 §4.1.2.1: with a wrong client or redirect nobody is redirected.
	switch {
	case !known:
		showPage(w, http.StatusBadRequest, "Unknown client", "There is no client with this client_id.", "")
		return
	case !client.allows(redirect):
		showPage(w, http.StatusBadRequest, "Wrong redirect", "The redirect_uri is not registered for this client.", "")
		return
	}
	request := consent{state: form.Get("state"), form: form, code: code{
		redirect: redirect, challenge: form.Get("code_challenge"), key: form.Get("dpop_jkt"),
		session: &session{
			client: client.ID, scopes: strings.Fields(form.Get("scope")), nonce: form.Get("nonce"),
			audience: append(slices.Clone(form["resource"]), form["audience"]...),
		},
	}}
	set := p.Settings()
	name, description := wrongRequest(form)
	switch {
	case name != "":
	case set.PushedRequests == Required && !r.Form.Has("request_uri"):
		name, description = "invalid_request", "the request must be pushed first" // RFC 9126 §4
	case set.AuthorizeError != "":
		name, description = set.AuthorizeError, set.AuthorizeErrorDescription
	case set.Consent && form.Get("prompt") == "none":
		name, description = "interaction_required", "a person has to agree"
	case set.Consent:
		p.mu.Lock()
		id := p.secret("consent-", 0)
		p.consents[id] = request
		p.mu.Unlock()
		showPage(w, http.StatusOK, "Sign in", client.ID+" wants to sign you in as "+set.subject()+".", id)
		return
	}
	p.respond(w, r, request, name, description)
}

// wrongRequest is the OAuth error of a request that can't be granted.
func wrongRequest(form url.Values) (name, description string) {
	for parameter, values := range form {
		if len(values) > 1 && parameter != "resource" && parameter != "audience" {
			return "invalid_request", "parameter " + parameter + " is repeated"
		}
	}
	switch {
	case form.Get("response_type") != "code":
		return "unsupported_response_type", "only code"
	case form.Get("code_challenge_method") != "S256" || len(form.Get("code_challenge")) != 43:
		return "invalid_request", "PKCE with S256 is required" // RFC 7636 §4.4.1
	case !slices.Contains(strings.Fields(form.Get("scope")), "openid"):
		return "invalid_scope", "openid is required"
	}
	return "", ""
}

// decide takes the button of the consent page.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	id := r.PostFormValue("request")
	p.mu.Lock()
	request, ok := p.consents[id]
	delete(p.consents, id)
	p.mu.Unlock()
	switch {
	case r.Method != http.MethodPost || !ok:
		showPage(w, http.StatusBadRequest, "Too late", "This request was answered before.", "")
	case r.PostFormValue("decision") == "approve":
		p.respond(w, r, request, "", "")
	default:
		p.respond(w, r, request, "access_denied", "the person said no")
	}
}

// respond redirects to the client, RFC 6749 §4.1.2, with the iss of RFC 9207.
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, request consent, name, description string) {
	p.mu.Lock()
	set := p.settings.clone()
	answer := map[string]any{}
	if request.state != "" {
		answer["state"] = request.state
	}
	if !set.NoIssParameter {
		answer["iss"] = p.issuer
	}
	if name != "" {
		answer["error"] = name
		if description != "" {
			answer["error_description"] = description
		}
	} else {
		granted := request.code
		p.begin(granted.session, request.form)
		granted.expires = p.now().Add(time.Minute)
		text := p.secret("code-", 0)
		p.codes[text] = &granted
		answer["code"] = text
	}
	p.mu.Unlock()
	override(answer, set.AuthorizationResponse)
	target, err := url.Parse(request.redirect)
	if err != nil {
		showPage(w, http.StatusBadRequest, "Wrong redirect", "The redirect_uri can't be read.", "")
		return
	}
	if set.FormPost || request.form.Get("response_mode") == "form_post" {
		postForm(w, target.String(), answer)
		return
	}
	query := target.Query()
	for parameter, value := range answer {
		query.Set(parameter, fmt.Sprint(value))
	}
	target.RawQuery = query.Encode()
	w.Header().Set("Cache-Control", "no-store")
	// 303, so that a browser makes a GET of the consent page's POST.
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// allows is RFC 8252 §7.3: on loopback the port is the client's choice.
func (c Client) allows(redirect string) bool {
	u, err := url.Parse(redirect)
	if err != nil || u.Fragment != "" || u.Host == "" {
		return false
	}
	if len(c.Redirects) == 0 {
		return u.Scheme == "http" && isLoopback(u.Hostname())
	}
	for _, rule := range c.Redirects {
		if rule == redirect {
			return true
		}
		r, err := url.Parse(rule)
		if err == nil && isLoopback(r.Hostname()) && r.Scheme == u.Scheme && r.Hostname() == u.Hostname() &&
			r.Path == u.Path && r.RawQuery == u.RawQuery {
			return true
		}
	}
	return false
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// showPage shows a page to a person; with a request id, one with two buttons.
func showPage(w http.ResponseWriter, status int, title, text, request string) {
	w.Header().Set("Content-Type", htmlType)
	w.Header().Set("Cache-Control", "no-store")
	// No form-action: browsers apply it to the redirect after the form too.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = template.Must(template.New("page").Parse(pageHTML)).Execute(w,
		struct{ Title, Text, Request string }{title, text, request})
}

const pageHTML = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} – test provider</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 28rem; margin: 15vh auto; padding: 0 1rem }
button { font: inherit; padding: .5rem 1.25rem; margin-right: .5rem; cursor: pointer }
small { opacity: .8 }
</style></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>
{{if .Request}}<form method="post" action="decision"><input type="hidden" name="request" value="{{.Request}}">
<button id="approve" name="decision" value="approve">Allow</button>
<button id="deny" name="decision" value="deny">Deny</button></form>{{end}}
<p><small>This is a test provider: it asks for no password.</small></p></main></body></html>
`
