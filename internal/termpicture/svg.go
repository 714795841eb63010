package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// picture is a terminal window.
type picture struct {
	Title   string
	Columns int
	Lines   []line
}

// The sizes, in the SVG's units.
const (
	cell    = 8.4 // width of a character; each run is stretched to it
	leading = 19.0
	margin  = 18.0
	bar     = 34.0
)

// The window is dark on any page, so the colours need no second set; each has a
// contrast of at least 4.5:1 with the background (WCAG 2.2, 1.4.3).
const css = `
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#e6edf3;white-space:pre}
.b{font-weight:700}.f{fill:#9aa4ae}.t{fill:#b3bcc5;text-anchor:middle}
.c1{fill:#ff8e86}.c2{fill:#5fd383}.c3{fill:#eac55f}.c4{fill:#8cc0ff}.c5{fill:#dba6ff}.c6{fill:#6fd3dd}
`

// draw gives the SVG, version 1.1 with the white-space property of SVG 2.
func draw(p picture) []byte {
	width := 2*margin + float64(p.Columns)*cell
	height := bar + 2*margin + float64(len(p.Lines))*leading - 4
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="title">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title id=\"title\">Terminal: %s</title>\n<style>%s</style>\n", escapeXML(p.Title), css)
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%.0f" height="%.0f" rx="9" fill="#12171e" stroke="#4a535e"/>`+"\n", width-1, height-1)
	fmt.Fprintf(&b, `<path d="M1 %.0fV10a9 9 0 0 1 9-9h%.0fa9 9 0 0 1 9 9v%.0fz" fill="#232a33"/>`+"\n", bar, width-20, bar-10)
	for i, fill := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%.0f" r="6" fill="%s"/>`+"\n", 20+20*i, bar/2, fill)
	}
	fmt.Fprintf(&b, `<text class="t" x="%.0f" y="%.0f">%s</text>`+"\n", width/2, bar/2+5, escapeXML(p.Title))
	for i, l := range p.Lines {
		drawLine(&b, l, bar+margin+float64(i)*leading+10)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawLine puts each run at its column and stretches it to its width, so that
// columns stand below each other in any monospaced font.
func drawLine(b *bytes.Buffer, l line, y float64) {
	if strings.TrimSpace(l.text()) == "" {
		return
	}
	fmt.Fprintf(b, `<text y="%.0f" xml:space="preserve">`, y)
	column := 0
	for _, r := range l {
		n := len([]rune(r.Text))
		fmt.Fprintf(b, `<tspan x="%.1f" textLength="%.1f"%s>%s</tspan>`,
			margin+float64(column)*cell, float64(n)*cell, r.Style.class(), escapeXML(r.Text))
		column += n
	}
	b.WriteString("</text>\n")
}

func (l line) text() string {
	var b strings.Builder
	for _, r := range l {
		b.WriteString(r.Text)
	}
	return b.String()
}

// class is the attribute for a style, if it needs one.
func (s style) class() string {
	var names []string
	if s.Bold {
		names = append(names, "b")
	}
	if s.Faint {
		names = append(names, "f")
	}
	if s.Color > 0 {
		names = append(names, fmt.Sprintf("c%d", s.Color))
	}
	if len(names) == 0 {
		return ""
	}
	return ` class="` + strings.Join(names, " ") + `"`
}

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
