package oidcflow

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

var allPages = map[string]pageKind{
	"success": pageSuccess, "denied": pageDenied, "error": pageError, "wrong state": pageWrongState,
	"not found": pageNotFound, "already used": pageAlreadyUsed, "expired": pageExpired,
	"signed out": pageSignedOut, "wrong sign-out": pageWrongSignOut,
}

func render(p page) (*http.Response, string) {
	w := httptest.NewRecorder()
	writePage(w, http.StatusTeapot, p)
	return w.Result(), w.Body.String()
}

// between is the text between two marks, which have to be there once.
func between(t *testing.T, text, start, end string) string {
	t.Helper()
	if strings.Count(text, start) != 1 {
		t.Fatalf("%q is there %d times, not once", start, strings.Count(text, start))
	}
	_, rest, _ := strings.Cut(text, start)
	inner, _, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("no %q after %q", end, start)
	}
	return inner
}

func TestPages(t *testing.T) {
	headings, titles := map[string]bool{}, map[string]bool{}
	for name, kind := range allPages {
		t.Run(name, func(t *testing.T) {
			response, body := render(page{Kind: kind, Provider: "id.example.com"})
			if response.StatusCode != http.StatusTeapot {
				t.Errorf("HTTP %d, not the given status", response.StatusCode)
			}
			title, heading := between(t, body, "<title>", "</title>"), between(t, body, "<h1>", "</h1>")
			if headings[heading] || titles[title] {
				t.Errorf("%q or %q is the name of another page", title, heading)
			}
			headings[heading], titles[title] = true, true
			if state := between(t, body, "<span>", "</span>"); (state == "Success") != (kind == pageSuccess) {
				t.Errorf("the state is %q", state)
			}
			if next := between(t, body, `<p class="next">`, "</p>"); !strings.Contains(next, "terminal") {
				t.Errorf("what to do next is %q", next)
			}
			for _, want := range []string{`<html lang="en"`, "id.example.com", `name="viewport"`} {
				if !strings.Contains(body, want) {
					t.Errorf("no %q", want)
				}
			}
			// Nothing of the template is left, and nothing comes from elsewhere.
			style := between(t, body, "<style>", "</style>")
			tags := strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(body, -1), "")
			for _, bad := range []string{"{{", "ZgotmplZ", "http", "src", "href", "url(", "@import", " style=", " on"} {
				if strings.Contains(tags, bad) || strings.Contains(style, bad) {
					t.Errorf("the page contains %q", bad)
				}
			}
		})
	}
}

func TestPageHeaders(t *testing.T) {
	response, body := render(page{Kind: pageSuccess})
	style, script := between(t, body, "<style>", "</style>"), between(t, body, "<script>", "</script>")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src '" + cspHash(style) + "'; script-src '" + cspHash(script) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Content-Type":               "text/html; charset=utf-8",
		"Referrer-Policy":            "no-referrer",
		"Cache-Control":              "no-store",
		"X-Content-Type-Options":     "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
	// The address is cleaned before anything else is parsed.
	if before, _, _ := strings.Cut(body, "<script>"); strings.Count(before, "<") != 4 {
		t.Errorf("the script does not come first: %s", before)
	}
}

func TestCSPHash(t *testing.T) {
	// printf 'doSomething();' | openssl dgst -sha256 -binary | base64
	if got, want := cspHash("doSomething();"), "sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPageEscapes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "the account is locked", "the account is locked"},
		{"element", `<script>alert(1)</script>`, "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"end of the element", `</bdi></dd><img src=x onerror=alert(1)>`, "&lt;/bdi&gt;&lt;/dd&gt;&lt;img src=x onerror=alert(1)&gt;"},
		{"attribute", `" onload="x`, "&#34; onload=&#34;x"},
		{"entity", "&lt;b&gt;", "&amp;lt;b&amp;gt;"},
		{"template", "{{.Script}}", "{{.Script}}"},
		{"terminal", "a\x1b[31mred\x1b[0m\a b", "ared b"},
		{"lines", " one\r\n\ttwo ", "one   two"},
		{"direction", "abc\u202e\u2066def\u200b", "abcdef"},
		{"broken UTF-8", "a\xff\xfeb", "ab"},
		{"NUL", "a\x00b", "ab"},
		{"not Latin", "アクセス拒否 مرفوض", "アクセス拒否 مرفوض"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, plain := render(page{Kind: pageError, Provider: "id.example.com", Detail: "x"})
			_, body := render(page{Kind: pageError, Provider: "id.example.com", Detail: tt.text})
			got := between(t, body, "<dt>Details</dt><dd><bdi>", "</bdi></dd>")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Count(body, "<") != strings.Count(plain, "<") {
				t.Error("the text made an element")
			}
			// The same text in the other places.
			_, body = render(page{Kind: pageError, Provider: tt.text, Hint: tt.text, Detail: "x"})
			if strings.Count(body, "<") != strings.Count(plain, "<") {
				t.Error("the text made an element as a host or a hint")
			}
		})
	}
	_, body := render(page{Kind: pageError, Detail: strings.Repeat("ä", 5000)})
	if n := utf8.RuneCountInString(between(t, body, "<dt>Details</dt><dd><bdi>", "</bdi></dd>")); n != maxText {
		t.Errorf("%d characters of a long text are shown", n)
	}
}

func FuzzPage(f *testing.F) {
	f.Add("</bdi><script>", "\x1b]0;x\a")
	f.Add("\" '", "<!--")
	_, plain := render(page{Kind: pageDenied, Provider: "x", Detail: "x", Hint: "x"})
	f.Fuzz(func(t *testing.T, host, detail string) {
		// A mark in front, so that no part is empty and left out.
		_, body := render(page{Kind: pageDenied, Provider: "x" + host, Detail: "x" + detail, Hint: "x" + detail})
		if strings.Count(body, "<") != strings.Count(plain, "<") || strings.Count(body, ">") != strings.Count(plain, ">") {
			t.Errorf("markup from %q and %q", host, detail)
		}
	})
}

// TestPageContrast checks WCAG 2.2 success criteria 1.4.3 and 1.4.11 for every
// colour that a text or an icon has, in light and dark.
func TestPageContrast(t *testing.T) {
	light, dark, ok := strings.Cut(pageCSS, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark colours")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		if len(colours) != 8 {
			t.Fatalf("%s: %d colours", scheme, len(colours))
		}
		for _, pair := range [][2]string{
			{"text", "card"}, {"soft", "card"}, {"good", "card"}, {"bad", "card"}, {"note", "card"}, {"soft", "back"}, {"text", "back"},
		} {
			if got := contrast(t, colours[pair[0]], colours[pair[1]]); got < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, pair[0], pair[1], got)
			}
		}
	}
}

// contrast is WCAG's contrast ratio.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(fmt.Errorf("colour %q: %w", colour, err))
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
