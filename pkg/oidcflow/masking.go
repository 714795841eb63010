package oidcflow

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	masked = "[hidden]"
	// minMasked: nobody's secret is shorter, and the letters of one that is
	// would be taken out of every word.
	minMasked = 4
)

// secretFields are the fields of a form that nobody may see: RFC 6749 §4.1.3,
// §6 and §2.3.1, RFC 7636 §4.5, RFC 8628 §3.4, RFC 7521 §4, RFC 8693 §2.1, RFC
// 7009 §2.1.
var secretFields = [...]string{
	"code", "code_verifier", "refresh_token", "client_secret", "client_assertion", "device_code",
	"assertion", "subject_token", "actor_token", "token",
}

// sentSecrets are the secrets in a request: some providers repeat in the text
// of an error what they were sent.
func sentSecrets(header http.Header, form url.Values) []string {
	var found []string
	for _, field := range secretFields {
		found = append(found, form[field]...)
	}
	found = append(found, header.Values("DPoP")...)
	scheme, credentials, _ := strings.Cut(header.Get("Authorization"), " ")
	found = append(found, credentials)
	if strings.EqualFold(scheme, "Basic") {
		if plain, err := base64.StdEncoding.DecodeString(credentials); err == nil {
			_, encoded, _ := strings.Cut(string(plain), ":")
			found = append(found, encoded)
			if secret, err := url.QueryUnescape(encoded); err == nil {
				found = append(found, secret)
			}
		}
	}
	for _, secret := range found {
		if escaped := url.QueryEscape(secret); escaped != secret {
			found = append(found, escaped) // as it was in the request
		}
	}
	found = slices.DeleteFunc(found, func(secret string) bool { return len(secret) < minMasked })
	// One may be a part of another.
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return found
}

// shown is a text of the answer, fit to be shown and without what was sent.
// What Clean takes away may have stood in the middle of a secret.
func (a *answer) shown(text string) string { return Clean(a.mask(Clean(a.mask(text)))) }

func (a *answer) mask(text string) string {
	for _, secret := range a.secrets {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return text
}
