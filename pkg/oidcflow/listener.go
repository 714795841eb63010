package oidcflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxDelivery is how long the end of a sign-in waits for the browser to take
// its page.
const maxDelivery = 2 * time.Second

// listener is the loopback HTTP server of one sign-in, RFC 8252 §7.3. Nothing
// but a GET of the redirect (or, with response_mode=form_post, a POST to it)
// with the right state means anything to it.
type listener struct {
	redirect redirect
	contest  *contest
	provider string // for the pages

	server *http.Server
	// done is closed when the sign-in has ended, with result; delivered when
	// the browser that brought the answer has its page.
	done      chan struct{}
	result    error
	delivered chan struct{}
}

func newListener(r redirect, c *contest, provider string) *listener {
	l := &listener{redirect: r, contest: c, provider: provider, done: make(chan struct{}), delivered: make(chan struct{})}
	l.server = loopbackServer(l)
	return l
}

// loopbackServer is a server for the browser on this machine.
func loopbackServer(h http.Handler) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	// A page is whole only when its connection may be closed.
	s.SetKeepAlivesEnabled(false)
	return s
}

func (l *listener) serve(sockets []net.Listener) {
	for _, s := range sockets {
		go func() { _ = l.server.Serve(s) }()
	}
}

// close ends the sign-in: the browser that waits gets its page, in bounded
// time, before the process may exit.
func (l *listener) close(result error) {
	l.result = result
	close(l.done)
	if l.contest.end() == byBrowser {
		limit, cancel := context.WithTimeout(context.Background(), maxDelivery)
		defer cancel()
		select {
		case <-l.delivered:
		case <-limit.Done():
		}
	}
	_ = l.server.Close()
}

// ServeHTTP implements [http.Handler].
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !l.redirect.isHost(r.Host):
		l.answer(w, http.StatusForbidden, page{Kind: pageNotFound})
	case !l.redirect.isPath(r.URL.EscapedPath()):
		l.answer(w, http.StatusNotFound, page{Kind: pageNotFound})
	case l.contest.expected.formPost:
		l.takeForm(w, r)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		l.answer(w, http.StatusMethodNotAllowed, page{Kind: pageNotFound})
	default:
		l.take(w, r.URL.RawQuery)
	}
}

func (l *listener) takeForm(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		p := page{Kind: pageNotFound}
		if r.Method == http.MethodGet && r.URL.RawQuery != "" {
			p = page{Kind: pageError, Detail: errNotPosted.Error()}
		}
		l.answer(w, http.StatusMethodNotAllowed, p)
		return
	}
	form, status := formAnswer(w, r)
	if status != http.StatusOK {
		l.answer(w, status, page{Kind: pageNotFound})
		return
	}
	l.take(w, form)
}

// take looks at an answer and, if it is the right one, keeps the browser until
// the sign-in has ended.
func (l *listener) take(w http.ResponseWriter, parameters string) {
	code, verdict, ignore := l.contest.expected.read(parameters)
	if ignore != nil {
		l.answer(w, http.StatusBadRequest, page{Kind: pageWrongState})
		return
	}
	if !l.contest.offer(response{code, verdict}, byBrowser) {
		l.answer(w, http.StatusBadRequest, page{Kind: pageAlreadyUsed})
		return
	}
	defer close(l.delivered)
	<-l.done
	l.answer(w, statusOf(l.result), pageOf(l.result))
}

func (l *listener) answer(w http.ResponseWriter, status int, p page) {
	p.Provider = l.provider
	sendPage(w, status, p)
}

// sendPage writes a page at once and whole, so that it survives the close of
// the server.
func sendPage(w http.ResponseWriter, status int, p page) {
	buffer := &bufferedWriter{header: w.Header(), status: http.StatusOK}
	writePage(buffer, status, p)
	w.Header().Set("Content-Length", strconv.Itoa(buffer.body.Len()))
	w.WriteHeader(buffer.status)
	_, _ = w.Write(buffer.body.Bytes())
	_ = http.NewResponseController(w).Flush()
}

// bufferedWriter is an [http.ResponseWriter] that keeps the answer.
type bufferedWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *bufferedWriter) Header() http.Header         { return b.header }
func (b *bufferedWriter) WriteHeader(status int)      { b.status = status }
func (b *bufferedWriter) Write(p []byte) (int, error) { return b.body.Write(p) }

func statusOf(result error) int {
	if result == nil {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

// pageOf tells the person how the sign-in ended.
func pageOf(result error) page {
	var refused *AuthorizationError
	switch {
	case result == nil:
		return page{Kind: pageSuccess}
	case errors.As(result, &refused) && refused.Code == "access_denied":
		return page{Kind: pageDenied, Detail: refused.Description}
	case errors.Is(result, ErrSignInTimeout):
		return page{Kind: pageExpired}
	case errors.Is(result, context.Canceled):
		return page{Kind: pageError, Detail: "the sign-in was interrupted"}
	}
	return page{Kind: pageError, Detail: safeText(result)}
}
