package oidcflow

import (
	"errors"
	"io"
	"mime"
	"net/http"
)

// maxForm is more than any answer has that a browser posts.
const maxForm = 64 << 10

// formAnswer reads the form that the browser posts, OAuth 2.0 Form Post
// Response Mode §2. status is the HTTP status for what is none.
//
// Any page in the browser can post here, as any can send it here with a link:
// it is the state that tells the answer from both.
func formAnswer(w http.ResponseWriter, r *http.Request) (form string, status int) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || kind != "application/x-www-form-urlencoded":
		return "", http.StatusUnsupportedMediaType
	case r.URL.RawQuery != "":
		return "", http.StatusBadRequest // the answer is in one place
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", http.StatusRequestEntityTooLarge
	case err != nil:
		return "", http.StatusBadRequest
	}
	return string(body), http.StatusOK
}
