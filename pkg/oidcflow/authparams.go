package oidcflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CheckAuthParam says what is wrong with a parameter of [Client.AuthParams],
// before a provider does.
func CheckAuthParam(name, value string) error {
	if !MayAddParam(name, value) {
		if name == "response_mode" {
			return errors.New("expected query or form_post")
		}
		return errors.New("the sign-in itself needs this parameter; expected another one")
	}
	var err error
	switch name {
	case "max_age":
		_, err = parseMaxAge(value)
	case "prompt":
		err = checkPrompt(value)
	case "claims":
		_, err = essentialACR(value)
	}
	return err
}

// parseMaxAge reads max_age, OpenID Connect Core §3.1.2.1.
func parseMaxAge(value string) (time.Duration, error) {
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, errors.New("expected a whole number of seconds, such as 3600, or 0 for a new sign-in at the provider each time")
	}
	return time.Duration(seconds) * time.Second, nil
}

// checkPrompt lets words through that it does not know, since providers have
// some of their own.
func checkPrompt(value string) error {
	const good = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	words := strings.Split(value, " ")
	for _, word := range words {
		if word == "" || strings.Trim(word, good) != "" {
			return errors.New("expected none, login, consent, select_account or another of the provider's words, with one space between two")
		}
	}
	// §3.1.2.1: "none" with any other value is an error.
	if len(words) > 1 && slices.Contains(words, "none") {
		return errors.New("none can't be combined with another value")
	}
	return nil
}

// essentialACR gives the acr values of which the ID token must have one, by
// the claims parameter, OpenID Connect Core §5.5.1.1. nil: none is asked for as
// essential.
func essentialACR(claims string) ([]string, error) {
	o, err := parseObject([]byte(claims))
	if err != nil {
		return nil, errors.New(`expected a JSON object, such as {"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`)
	}
	member := func(o object, name string) (object, error) {
		if !o.has(name) { // null is a claim that is asked for in the usual way
			return nil, nil
		}
		inner, err := parseObject(o[name])
		if err != nil {
			return nil, fmt.Errorf("expected an object as %q", name)
		}
		return inner, nil
	}
	if _, err := member(o, "userinfo"); err != nil {
		return nil, err
	}
	idToken, err := member(o, "id_token")
	if err != nil {
		return nil, err
	}
	acr, err := member(idToken, "acr")
	if err != nil || !acr.flag("essential") {
		return nil, err
	}
	values, ok := acr.texts("values")
	switch {
	case !ok, acr.has("value") && acr.text("value") == "":
		return nil, errors.New("expected texts as the value or values of acr")
	case acr.has("value"):
		values = append(values, acr.text("value"))
	}
	return values, nil
}
