package oidcflow

import (
	"fmt"
	"net/http"
)

// FaultyAnswerError is a success that lacks what it must have: a mistake of the
// provider, and of nothing between us and it.
type FaultyAnswerError struct {
	Operation string
	// Field is the member with the problem.
	Field   string
	Problem string
}

// Error implements error.
func (e *FaultyAnswerError) Error() string {
	return fmt.Sprintf("%s: the provider's answer is faulty: %s %s", e.Operation, e.Field, e.Problem)
}

// Hint says what to do.
func (e *FaultyAnswerError) Hint() string {
	return "tell the provider's operators: nothing on this machine can mend it"
}

// faultyToken says what is wrong with an answer that has no tokens for a
// sign-in; nil if it may be something else's than the provider's, or an error.
//
// Only a person's sign-in asks. A session goes through its refreshes whatever
// they bring, and while a device code is waited for, an object of something in
// between only costs another question.
func (a *answer) faultyToken(operation, grant string) error {
	o, err := parseObject(a.body)
	if err != nil || a.StatusCode != http.StatusOK || a.tooLarge || o.text("error") != "" || !isCodeGrant(grant) {
		return nil
	}
	switch access := o.text("access_token"); {
	case access == "" && grant == deviceGrant:
		return nil
	case access == "":
		return &FaultyAnswerError{operation, "access_token", "is missing"}
	case !visible(access):
		return &FaultyAnswerError{operation, "access_token", "has characters that no token may have (RFC 6749 appendix A.12)"}
	case o.text("token_type") == "":
		return &FaultyAnswerError{operation, "token_type", "is missing"}
	}
	return nil
}
