package oidcflow

import (
	"errors"
	"net/url"
	"strings"
)

// maxPaste is more than any redirect URL has.
const maxPaste = 64 << 10

// What is wrong with a pasted text. None quotes it: it may have a code.
var (
	errNoPaste       = errors.New("sign-in: the input ended before an address was pasted")
	errPasteEmpty    = errors.New("nothing was pasted")
	errPasteLong     = errors.New("the pasted text is too long")
	errPasteCode     = errors.New("the pasted text is not a whole address: paste everything that the browser's address line shows, from http to the end")
	errPasteNoAnswer = errors.New("the pasted address is not the one that the browser ended at: sign in first, then paste the address of the page that can't be shown")
)

// pastedQuery takes the query out of what a person pasted: the whole redirect
// URL, or its query alone. A code alone is not enough: without the state
// nobody knows which sign-in it belongs to.
func pastedQuery(text string) (string, error) {
	if len(text) > maxPaste {
		return "", errPasteLong
	}
	// Terminals put marks around what is pasted, people quotes.
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b[200~", ""), "\x1b[201~", "")
	text = strings.TrimSpace(strings.Trim(strings.TrimSpace(text), `"'<>`))
	if text == "" {
		return "", errPasteEmpty
	}
	if strings.Contains(text, "://") && strings.HasPrefix(strings.ToLower(text), "http") {
		u, err := url.Parse(text)
		if err != nil {
			return "", errPasteCode
		}
		return u.RawQuery, nil
	}
	query, _, _ := strings.Cut(text, "#")
	if _, after, ok := strings.Cut(query, "?"); ok {
		query = after // an address without http://
	}
	v, err := url.ParseQuery(query)
	if err != nil || !v.Has("state") {
		return "", errPasteCode
	}
	return query, nil
}

// paste reads an authorization response from pasted text. Only a response
// that ends the sign-in gives no error.
func (x expected) paste(text string) (response, error) {
	query, err := pastedQuery(text)
	if err != nil {
		return response{}, err
	}
	code, verdict, ignore := x.read(query)
	var refused *AuthorizationError
	switch {
	case ignore == nil && verdict == nil, errors.As(verdict, &refused):
		return response{code, verdict}, nil
	case ignore != nil && errors.Is(ignore, errNoState),
		ignore == nil && code.IsZero():
		return response{}, errPasteNoAnswer
	case ignore != nil:
		return response{}, ignore
	}
	return response{}, verdict
}
