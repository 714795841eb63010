package oidctest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Browser is a function that opens a URL as the system browser would: it
// returns at once, and the redirects are followed in the background, to the
// client's loopback address as well. A nil client means [http.DefaultClient];
// with TLS, use [Provider.HTTPClient].
func Browser(client *http.Client) func(ctx context.Context, url string) error {
	return NewWindow(client).Open
}

// Window is a browser whose pages a test can look at.
type Window struct {
	client *http.Client
	pages  chan Page
}

// Page is where a sign-in ended in the browser.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
	// Err says why there is no page.
	Err error
}

// NewWindow makes a browser; nil means [http.DefaultClient].
func NewWindow(client *http.Client) *Window {
	if client == nil {
		client = http.DefaultClient
	}
	return &Window{client: client, pages: make(chan Page, 100)}
}

// Open opens the URL. Like a browser it goes on when ctx is done.
func (w *Window) Open(ctx context.Context, address string) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return fmt.Errorf("open the browser: %q is no address", address)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	go func() {
		defer cancel()
		page := w.get(ctx, address)
		select {
		case w.pages <- page:
		default: // nobody looks
		}
	}()
	return nil
}

func (w *Window) get(ctx context.Context, address string) Page {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{Err: err}
	}
	page := w.load(request)
	if page.Err != nil || page.Status != http.StatusOK {
		return page
	}
	// A form that submits itself, as of response_mode=form_post.
	if request, err = selfPosting(page); err != nil {
		return Page{Err: err}
	} else if request != nil {
		return w.load(request.WithContext(ctx))
	}
	return page
}

func (w *Window) load(request *http.Request) Page {
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	response, err := w.client.Do(request)
	if err != nil {
		return Page{Err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return Page{
		URL: response.Request.URL, Status: response.StatusCode,
		Header: response.Header, Body: string(body), Err: err,
	}
}

// Page waits for the next page that an [Window.Open] ended with.
func (w *Window) Page(ctx context.Context) (Page, error) {
	select {
	case page := <-w.pages:
		return page, page.Err
	case <-ctx.Done():
		return Page{}, ctx.Err()
	}
}
