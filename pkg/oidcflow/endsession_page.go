package oidcflow

import (
	"net/http"
	"net/url"
	"sync/atomic"
)

// endPage is the loopback server of one sign-out: its start sends the browser
// on to the provider, once, and its redirect takes the browser back.
type endPage struct {
	where    redirect
	start    string // path, which nobody can guess
	target   string // at the provider; it may have the ID token in it
	state    string // "": nobody comes back
	provider string // for the pages
	// mayKnow says whether whoever asks may see the target.
	mayKnow func(*http.Request) bool

	sent, back atomic.Bool
	// done is closed when the last answer is on its way to the browser.
	done chan struct{}
}

// ServeHTTP implements [http.Handler].
func (e *endPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case !e.where.isHost(r.Host):
		e.answer(w, http.StatusForbidden, pageNotFound)
	case path != e.start && (e.state == "" || !e.where.isPath(path)):
		e.answer(w, http.StatusNotFound, pageNotFound)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		e.answer(w, http.StatusMethodNotAllowed, pageNotFound)
	case path == e.start:
		e.sendOn(w, r)
	default:
		e.takeBack(w, r)
	}
}

// sendOn redirects the browser to the provider. Another user of this machine
// who has read the address in the list of processes, and is faster than the
// browser, gets nothing, and the browser is still served.
func (e *endPage) sendOn(w http.ResponseWriter, r *http.Request) {
	if !e.mayKnow(r) {
		e.answer(w, http.StatusForbidden, pageNotFound)
		return
	}
	if !e.sent.CompareAndSwap(false, true) {
		e.answer(w, http.StatusNotFound, pageNotFound)
		return
	}
	// Without the body that http.Redirect writes, which repeats the target.
	h := w.Header()
	h.Set("Location", e.target)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	_ = http.NewResponseController(w).Flush()
	if e.state == "" {
		close(e.done)
	}
}

// takeBack shows that all is done. RP-Initiated Logout §3: the provider sends the
// state back. Without it this could be any page that knows the address, so it
// would be no sign that the provider has ended anything.
func (e *endPage) takeBack(w http.ResponseWriter, r *http.Request) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(v["state"]) != 1 || !NewSecret(v.Get("state")).Equal(NewSecret(e.state)) || !e.sent.Load() {
		e.answer(w, http.StatusBadRequest, pageWrongSignOut)
		return
	}
	e.answer(w, http.StatusOK, pageSignedOut)
	if e.back.CompareAndSwap(false, true) {
		close(e.done)
	}
}

func (e *endPage) answer(w http.ResponseWriter, status int, kind pageKind) {
	sendPage(w, status, page{Kind: kind, Provider: e.provider})
}
