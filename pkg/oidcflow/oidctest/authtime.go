package oidctest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// begin says when, and how, the person of a request signed in, OpenID Connect
// Core §3.1.2.1 "max_age", "prompt" and "acr_values". It needs p.mu.
func (p *Provider) begin(s *session, form url.Values) {
	now := p.now()
	s.subject, s.signedIn = p.settings.subject(), now.Add(-p.settings.SignedInAgo)
	maxAge, err := strconv.Atoi(form.Get("max_age"))
	again := err == nil && now.Sub(s.signedIn) > time.Duration(maxAge)*time.Second ||
		slices.Contains(strings.Fields(form.Get("prompt")), "login")
	if again && !p.settings.IgnoreMaxAge {
		s.signedIn = now
	}
	s.acr = p.settings.ACR
	for _, wanted := range wantedACRs(form) {
		if slices.Contains(p.settings.ACRValues, wanted) {
			s.acr = wanted
			break
		}
	}
}

// wantedACRs are the values of acr_values, and of the claim acr in the
// parameter claims, §5.5.1.1.
func wantedACRs(form url.Values) []string {
	all := strings.Fields(form.Get("acr_values"))
	var claims struct {
		IDToken struct {
			ACR struct {
				Value  string   `json:"value"`
				Values []string `json:"values"`
			} `json:"acr"`
		} `json:"id_token"`
	}
	if json.Unmarshal([]byte(form.Get("claims")), &claims) == nil {
		all = append(append(all, claims.IDToken.ACR.Values...), claims.IDToken.ACR.Value)
	}
	return all
}
