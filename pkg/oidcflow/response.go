package oidcflow

import (
	"crypto/subtle"
	"errors"
	"net/url"
)

// AuthorizationError is the provider's "no" to a sign-in, RFC 6749 §4.1.2.1
// and RFC 8628 §3.5. Its texts are fit to be shown.
type AuthorizationError struct {
	Code        string
	Description string
	URI         string
}

// Error implements error.
func (e *AuthorizationError) Error() string {
	text := "sign-in refused by the provider: " + e.Code
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// Hint says what to do; "" where this package knows nothing.
func (e *AuthorizationError) Hint() string {
	switch e.Code {
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		// OpenID Connect Core §3.1.2.6.
		return "if auth_params has prompt=none, remove it: the provider then shows no sign-in page, so the browser must have signed in there before"
	}
	return ""
}

// ResponseError is an authorization response with the right state that can't
// be used.
type ResponseError struct{ Problem string }

// Error implements error.
func (e *ResponseError) Error() string { return "sign-in: " + e.Problem }

// What is no answer to this sign-in at all.
var (
	errWrongState = errors.New("the answer belongs to another sign-in: its state is not the one of this sign-in")
	errNoState    = errors.New("the answer has no state")
	errBadQuery   = errors.New("the answer can't be read")
	errNotPosted  = errors.New("the provider sent the answer in the address, though response_mode=form_post asks for a form")
)

// expected is what an authorization response is checked against.
type expected struct {
	state          string
	issuer         string
	issuerRequired bool
	// formPost: the browser posts the answer as a form.
	formPost bool
	// bound: a code of another sign-in is found out without the state.
	bound bool
	// authority is the redirect's host and port.
	authority string
}

// read checks an authorization response, which is a query or a form. The first error says that it is no
// answer to this sign-in and to be ignored; verdict is how the right one ends
// it without a code.
func (x expected) read(query string) (code Secret, verdict, ignore error) {
	v, err := url.ParseQuery(query)
	if err != nil {
		return Secret{}, nil, errBadQuery // err quotes the code
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(v[name]) > 1 { // RFC 6749 §3.1
			return Secret{}, nil, errBadQuery
		}
	}
	state := v.Get("state")
	switch {
	case state == "":
		return Secret{}, nil, errNoState
	case subtle.ConstantTimeCompare([]byte(state), []byte(x.state)) != 1:
		return Secret{}, nil, errWrongState
	}
	code = NewSecret(v.Get("code"))
	return code, x.verdict(v), nil
}

func (x expected) verdict(v url.Values) error {
	// RFC 9207 §2.4: otherwise a code of one provider could be sent to
	// another's token endpoint.
	switch iss := v.Get("iss"); {
	case v.Has("iss") && iss != x.issuer:
		return &ResponseError{"the answer comes from the issuer " + Clean(iss) + ", not from " + Clean(x.issuer)}
	case !v.Has("iss") && x.issuerRequired:
		return &ResponseError{"the answer does not name its issuer, which this provider always does"}
	}
	switch {
	case v.Get("error") != "":
		return &AuthorizationError{
			Code: Clean(v.Get("error")), Description: Clean(v.Get("error_description")), URI: Clean(v.Get("error_uri")),
		}
	case v.Get("code") == "":
		return &ResponseError{"the answer has neither a code nor an error"}
	}
	return nil
}
