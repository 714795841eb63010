package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	red, bold := style{Color: 1}, style{Bold: true}
	for text, want := range map[string][]line{
		"a\nb\n":                         {{{"a", style{}}}, {{"b", style{}}}},
		"\x1b[31mno\x1b[0m.\n":           {{{"no", red}, {".", style{}}}},
		"\x1b[1m$\x1b[0m\x1b[1m x":       {{{"$ x", bold}}},
		"a\n\nb":                         {{{"a", style{}}}, nil, {{"b", style{}}}},
		"\x1b[1;32mx\x1b[22;39my":        {{{"x", style{Color: 2, Bold: true}}, {"y", style{}}}},
		"\x1b[2Ka\x1b[Kb\x1b]":           {{{"ab]", style{}}}}, // only SGR counts
		"\x1b[31":                        {nil},
		"\x1b[mx":                        {{{"x", style{}}}},
		"a\tb":                           {{{"a       b", style{}}}},
		"\x1b[97mwhite\x1b[90mx\x1b[39m": {{{"whitex", style{}}}},
	} {
		if got := parse(text); !reflect.DeepEqual(got, want) {
			t.Errorf("parse(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	got := wrap([]line{{{"abcd", style{}}, {"efg", style{Bold: true}}}, nil}, 3)
	want := []line{
		{{"abc", style{}}},
		{{"d", style{}}, {"ef", style{Bold: true}}},
		{{"g", style{Bold: true}}},
		nil,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	svg := draw(picture{Title: "a <b>", Columns: 40, Lines: parse("x & y\n\x1b[33m\"quoted\"\x1b[0m\n\x00\x07")})
	checkXML(t, svg)
	for _, want := range []string{"x &amp; y", `class="c3"`, "a &lt;b&gt;", "<style>"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}

func FuzzDraw(f *testing.F) {
	f.Add("\x1b[1;31mx\x1b[0m\n\ty\xff\x1b[")
	f.Fuzz(func(t *testing.T, text string) {
		checkXML(t, draw(picture{Title: text, Columns: 20, Lines: wrap(parse(text), 20)}))
	})
}

// The pictures in docs/ load nothing from anywhere.
func TestPicturesOfTheDocs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/*.svg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, file := range files {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkXML(t, svg)
		for _, bad := range []string{"href", "<script", "@import", "url(", "<image"} {
			if bytes.Contains(svg, []byte(bad)) {
				t.Errorf("%s has %s", file, bad)
			}
		}
		var height float64
		if _, after, ok := strings.Cut(string(svg), ` height="`); !ok {
			t.Errorf("%s has no height", file)
		} else if _, err := fmt.Sscanf(after, "%f", &height); err != nil || (height-bar-2*margin)/leading > 60 {
			t.Errorf("%s is %.0f lines tall (%v)", file, (height-bar-2*margin)/leading, err)
		}
	}
}

func checkXML(t *testing.T, text []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}
