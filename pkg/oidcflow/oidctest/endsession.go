package oidctest

import (
	"net/http"
	"net/url"
	"slices"
)

// EndSession is an end of session that a browser asked for, OpenID Connect
// RP-Initiated Logout §2.
type EndSession struct {
	ClientID, IDTokenHint, PostLogoutRedirectURI, State string
	// Subject is who the hint is about; "" if it is none of this provider's ID
	// tokens.
	Subject string
}

// EndSessions are the ends of session so far.
func (p *Provider) EndSessions() []EndSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ends)
}

// endSession is OpenID Connect RP-Initiated Logout §2 and §3.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	end := EndSession{
		ClientID: r.Form.Get("client_id"), IDTokenHint: r.Form.Get("id_token_hint"),
		PostLogoutRedirectURI: r.Form.Get("post_logout_redirect_uri"), State: r.Form.Get("state"),
	}
	p.mu.Lock()
	if j, err := parseJWT(end.IDTokenHint); err == nil {
		for _, key := range p.keys {
			if j.verify(key.private.Public()) == nil { // an expired one is fine, §2
				end.Subject = text(j.claims, "sub")
			}
		}
	}
	p.ends = append(p.ends, end)
	set := p.settings.clone()
	if set.EndSessionRevokes && end.Subject != "" {
		p.endSubject(end.Subject)
	}
	p.mu.Unlock()

	target, err := url.Parse(end.PostLogoutRedirectURI)
	client, known := p.clients[end.ClientID]
	if err == nil && target.Host != "" && (!known || client.allowsEnd(end.PostLogoutRedirectURI)) && isLoopback(target.Hostname()) {
		answer := map[string]any{}
		if end.State != "" {
			answer["state"] = end.State
		}
		override(answer, set.EndSessionResponse)
		query := target.Query()
		for name, value := range answer {
			if s, ok := value.(string); ok {
				query.Set(name, s)
			}
		}
		target.RawQuery = query.Encode()
		http.Redirect(w, r, target.String(), http.StatusSeeOther)
		return
	}
	showPage(w, http.StatusOK, "Signed out", "You can close this page.", "")
}

// endSubject needs p.mu.
func (p *Provider) endSubject(subject string) {
	for _, t := range p.refreshes {
		t.ended = t.ended || t.subject == subject
	}
	for _, t := range p.accesses {
		t.ended = t.ended || t.subject == subject
	}
}

// allowsEnd says whether the client registered where to go afterwards.
func (c Client) allowsEnd(redirect string) bool {
	return len(c.PostLogoutRedirects) == 0 || Client{Redirects: c.PostLogoutRedirects}.allows(redirect)
}
