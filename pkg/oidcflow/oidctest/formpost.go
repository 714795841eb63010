package oidctest

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// postForm is OAuth 2.0 Form Post Response Mode §2: a page that posts itself
// to the client.
func postForm(w http.ResponseWriter, redirect string, answer map[string]any) {
	w.Header().Set("Content-Type", htmlType)
	w.Header().Set("Cache-Control", "no-store")
	fields := map[string]string{}
	for name, value := range answer {
		fields[name] = fmt.Sprint(value)
	}
	_ = template.Must(template.New("form").Parse(formHTML)).Execute(w, struct {
		Action string
		Fields map[string]string
	}{redirect, fields})
}

const formHTML = `<!DOCTYPE html>
<html lang="en"><head><title>Signing in</title></head>
<body onload="document.forms[0].submit()"><form method="post" action="{{.Action}}">
{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">
{{end}}<noscript><button>Continue</button></noscript></form></body></html>
`

var (
	formTag  = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	inputTag = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// selfPosting gives the request that a browser makes of a page with a form
// that submits itself, or nil.
func selfPosting(page Page) (*http.Request, error) {
	form := formTag.FindStringSubmatch(page.Body)
	if form == nil || !strings.Contains(page.Body, `onload="document.forms[0].submit()"`) {
		return nil, nil //nolint:nilnil // most pages are no such form
	}
	target, err := page.URL.Parse(html.UnescapeString(form[1]))
	if err != nil {
		return nil, err
	}
	fields := url.Values{}
	for _, field := range inputTag.FindAllStringSubmatch(page.Body, -1) {
		fields.Add(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	request, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", page.URL.Scheme+"://"+page.URL.Host)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	request.Header.Set("Sec-Fetch-Mode", "navigate")
	request.Header.Set("Sec-Fetch-Dest", "document")
	return request, nil
}
