package oidcflow

import (
	"errors"
	"net/url"
	"strings"
)

const (
	// maxPaste is more than any redirect URL has.
	maxPaste = 64 << 10
	// minCode is the least that a code has which nobody can guess (RFC 6749
	// §10.10: 128 bits, in printable characters). Shorter is a word that
	// somebody typed.
	minCode = 16
	maxCode = 8 << 10
)

// What is wrong with a pasted text. None quotes it: it may have a code.
var (
	errNoPaste       = errors.New("sign-in: the input ended before an address was pasted")
	errPasteEmpty    = errors.New("nothing was pasted")
	errPasteLong     = errors.New("the pasted text is too long")
	errPasteCode     = errors.New("the pasted text is neither a whole address nor a code: paste everything that the browser's address line shows, from http to the end")
	errPasteNoAnswer = errors.New("the pasted address is not the one that the browser ended at: sign in first, then paste the address of the page that can't be shown")
	errPasteForm     = errors.New("the pasted address has no answer, since response_mode=form_post sends it in a form: paste the code alone, or remove response_mode from auth_params")
)

// unwrapPaste takes away the marks that terminals put around what is pasted,
// and people's quotes.
func unwrapPaste(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b[200~", ""), "\x1b[201~", "")
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(text), `"'<>`))
}

// pastedQuery takes the query out of what a person pasted: the whole redirect
// URL, or its query alone. A text that is neither may be a code.
func pastedQuery(text string) (query string, ok bool, err error) {
	if strings.Contains(text, "://") && strings.HasPrefix(strings.ToLower(text), "http") {
		u, err := url.Parse(text)
		if err != nil {
			return "", false, errPasteCode
		}
		return u.RawQuery, true, nil
	}
	query, _, _ = strings.Cut(text, "#")
	if _, after, ok := strings.Cut(query, "?"); ok {
		query = after // an address without http://
	}
	v, err := url.ParseQuery(query)
	return query, err == nil && v.Has("state"), nil
}

// pastedCode takes a text for a code alone, as some providers show it on a
// page of theirs.
//
// Such an answer has no state and no issuer, and needs none. It comes from the
// person who started this sign-in, not from a page in the browser, so there is
// no cross-site request for a state to stop. If somebody talked that person into
// pasting the code of another sign-in, the provider refuses it, since it was
// issued for another code_challenge than our code_verifier's (RFC 7636 §4.6, RFC
// 9700 §2.1.1), and what it is exchanged for has another nonce than ours (OpenID
// Connect Core §3.1.3.7 point 11). And it goes nowhere but to the token endpoint
// of the issuer that the browser was sent to. Where neither PKCE nor a nonce can
// be counted on, x.bound is false, and a code alone is not taken.
func (x expected) pastedCode(text string) (Secret, bool) {
	if !x.bound {
		return Secret{}, false
	}
	if strings.Contains(text, "%") { // as it stands in the address line
		plain, err := url.PathUnescape(text)
		if err != nil {
			return Secret{}, false
		}
		text = plain
	}
	switch {
	case len(text) < minCode, len(text) > maxCode, !visible(text):
		return Secret{}, false
	case strings.ContainsAny(text, " &?#\"<>"), strings.Contains(text, "://"):
		return Secret{}, false // a sentence, or a part of an address
	case strings.HasPrefix(text, "code="), strings.HasPrefix(text, "error="):
		return Secret{}, false // a query without its state
	case x.authority != "" && strings.HasPrefix(text, x.authority):
		return Secret{}, false
	}
	return NewSecret(text), true
}

// paste reads an authorization response from pasted text. Only a response
// that ends the sign-in gives no error.
func (x expected) paste(text string) (response, error) {
	if len(text) > maxPaste {
		return response{}, errPasteLong
	}
	if text = unwrapPaste(text); text == "" {
		return response{}, errPasteEmpty
	}
	query, ok, err := pastedQuery(text)
	if err != nil {
		return response{}, err
	}
	if !ok {
		if code, ok := x.pastedCode(text); ok {
			return response{code: code}, nil
		}
		return response{}, errPasteCode
	}
	code, verdict, ignore := x.read(query)
	var refused *AuthorizationError
	switch {
	case ignore == nil && verdict == nil, errors.As(verdict, &refused):
		return response{code, verdict}, nil
	case x.formPost && errors.Is(ignore, errNoState):
		return response{}, errPasteForm
	case ignore != nil && errors.Is(ignore, errNoState),
		ignore == nil && code.IsZero():
		return response{}, errPasteNoAnswer
	case ignore != nil:
		return response{}, ignore
	}
	return response{}, verdict
}
