package oidcflow

// redirectedError is a failure at another host than the one that was asked: a
// document may be behind a redirect, and so is the page of a network that wants
// a sign-in first.
type redirectedError struct {
	host string
	err  error
}

// Error implements error.
func (e *redirectedError) Error() string { return e.err.Error() }

// Unwrap gives the failure.
func (e *redirectedError) Unwrap() error { return e.err }

// RedirectedTo is the host, with its port.
func (e *redirectedError) RedirectedTo() string { return e.host }

// elsewhere adds the host to a failure there; "" is that it was at the host
// that was asked.
func elsewhere(host string, err error) error {
	if host == "" {
		return err
	}
	return &redirectedError{Clean(host), err}
}
