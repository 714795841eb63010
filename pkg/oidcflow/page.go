package oidcflow

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"sync"
)

// pageKind is what a page of the loopback listener tells the person.
type pageKind int

// The pages.
const (
	pageSuccess     pageKind = iota // signed in, and the tokens are stored
	pageDenied                      // the person or the provider said no
	pageError                       // the sign-in failed in some other way
	pageWrongState                  // the answer belongs to another sign-in
	pageNotFound                    // no such path
	pageAlreadyUsed                 // the answer came a second time
	pageExpired                     // nobody waits for this sign-in any more

	pageSignedOut    // the provider has sent the browser back after the sign-out
	pageWrongSignOut // this did not come from the sign-out that is waiting
)

// page is what one page says: the provider's host, what a server or an error
// said, and what to do next. Without a Hint the page has its own.
type page struct {
	Kind                   pageKind
	Provider, Detail, Hint string
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// pageParts is the page ready for use.
type pageParts struct {
	template *template.Template
	style    template.CSS
	script   template.JS
	policy   string // Content-Security-Policy
}

// loadPage parses at the first sign-in, not at the start of every command.
var loadPage = sync.OnceValue(func() pageParts {
	// A browser hashes what its parser made of the text, without any CR. A
	// checkout on Windows may have some.
	lf := strings.NewReplacer("\r\n", "\n").Replace
	style, script := lf(pageCSS), lf(pageJS)
	return pageParts{
		template: template.Must(template.New("page").Parse(lf(pageHTML))),
		style:    template.CSS(style), //nolint:gosec // a file of ours
		script:   template.JS(script), //nolint:gosec // a file of ours
		// CSP Level 3: this style and this script run, nothing is loaded from
		// anywhere, and nobody frames the page.
		policy: "default-src 'none'; style-src '" + cspHash(style) + "'; script-src '" + cspHash(script) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
})

// cspHash is CSP Level 3 §2.3.1, hash-source.
func cspHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// writePage answers with the page.
func writePage(w http.ResponseWriter, status int, p page) {
	parts, words := loadPage(), wordsOf(p.Kind)
	if hint := Clean(p.Hint); hint != "" {
		words.Next = hint
	}
	var body bytes.Buffer
	err := parts.template.Execute(&body, struct {
		pageWords
		Provider, Detail string
		Style            template.CSS
		Script           template.JS
	}{words, Clean(p.Provider), Clean(p.Detail), parts.style, parts.script})
	header := w.Header()
	header.Set("Content-Security-Policy", parts.policy)
	// The address of the page holds the code: tell it to no one, keep it nowhere.
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if err != nil {
		// A template that is parsed and tested fails on nothing; if it does,
		// the person still reads the words.
		body.Reset()
		body.WriteString(words.Heading + "\n" + words.Next + "\n")
		header.Set("Content-Type", "text/plain; charset=utf-8")
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
