package harness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Web is a browser without scripts: it keeps cookies, follows redirects and
// submits forms.
type Web struct{ client *http.Client }

// Page is one that [Web] has loaded. Forms are in the order of the page.
type Page struct {
	URL    *url.URL
	Status int
	Body   string
	Forms  []Form
	web    *Web
}

// Form is a form of a page with what is filled in already.
type Form struct {
	Action string
	Method string
	Values url.Values
}

// NewWeb makes a browser that shares nothing with others. The transport may be
// nil.
func NewWeb(transport http.RoundTripper) *Web {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // only for options that are not used here
	}
	return &Web{client: &http.Client{Jar: jar, Transport: transport, Timeout: 20 * time.Second}}
}

// Client is the HTTP client with the browser's cookies.
func (w *Web) Client() *http.Client { return w.client }

// Elsewhere makes it a browser on a machine that does not reach this one: a
// redirect that leaves the origin is the last page's address, and not loaded.
func (w *Web) Elsewhere(origin string) *Web {
	w.client.CheckRedirect = func(request *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(request.URL.String(), origin+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return w
}

// Get loads a page.
func (w *Web) Get(address string) (*Page, error) {
	return w.load(w.client.Get(address))
}

// Follow loads a page that this one leads to.
func (p *Page) Follow(address string) (*Page, error) { return p.web.Get(address) }

// Submit sends the page's first form with these fields filled in.
func (p *Page) Submit(fields url.Values) (*Page, error) {
	if len(p.Forms) == 0 {
		return nil, fmt.Errorf("no form on %s (status %d):\n%.500s", p.URL, p.Status, p.Body)
	}
	form := p.Forms[0]
	for name, values := range fields {
		form.Values[name] = values
	}
	action, err := p.URL.Parse(form.Action)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(form.Method, http.MethodPost) {
		return p.web.load(p.web.client.PostForm(action.String(), form.Values))
	}
	action.RawQuery = form.Values.Encode()
	return p.web.Get(action.String())
}

func (w *Web) load(response *http.Response, err error) (*Page, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	page := &Page{URL: response.Request.URL, Status: response.StatusCode, Body: string(body), web: w}
	if location, err := response.Location(); err == nil {
		page.URL = location
	}
	page.Forms, err = forms(page.Body)
	return page, err
}

// forms reads the forms of a page and their inputs.
func forms(page string) ([]Form, error) {
	var found []Form
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if errors.Is(tokens.Err(), io.EOF) {
				return found, nil
			}
			return nil, tokens.Err()
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			attr := map[string]string{}
			for _, a := range token.Attr {
				attr[a.Key] = a.Val
			}
			switch {
			case token.Data == "form":
				found = append(found, Form{Action: attr["action"], Method: attr["method"], Values: url.Values{}})
			case token.Data == "input" && attr["name"] != "" && len(found) > 0:
				found[len(found)-1].Values.Add(attr["name"], attr["value"])
			}
		}
	}
}
