package cmd

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	"rsc.io/qr/coding"
)

// quietZone is the white margin around a QR code, in modules, that readers
// need to find it (ISO/IEC 18004 section 5.3.8 asks for four).
const quietZone = 4

// qrCode is a square of modules; true is a dark one.
type qrCode struct {
	size int
	dark func(x, y int) bool
}

// encodeQR makes the smallest QR code for a text. A terminal neither smears
// nor scratches, so the lowest error correction does.
func encodeQR(text string) (qrCode, error) {
	content := coding.String(text)
	version := coding.Version(coding.MinVersion)
	for content.Bits(version) > version.DataBytes(coding.L)*8 {
		if version++; version > coding.MaxVersion {
			return qrCode{}, errors.New("the text is too long for a QR code")
		}
	}
	// A reader takes any of the eight masks. One fixed mask is as good in
	// practice as searching the best.
	plan, err := coding.NewPlan(version, coding.L, 0)
	if err != nil {
		return qrCode{}, err
	}
	code, err := plan.Encode(content)
	if err != nil {
		return qrCode{}, err
	}
	return qrCode{size: code.Size, dark: code.Black}, nil
}

// columns and lines are the space that it takes with its margin.
func (q qrCode) columns() int { return q.size + 2*quietZone }
func (q qrCode) lines() int   { return (q.columns() + 1) / 2 }

// qrStyle is how modules become characters, two above each other in one.
type qrStyle int

const (
	// blackOnWhite sets both colours, so that the terminal's own don't matter.
	blackOnWhite qrStyle = iota
	// paintLight draws the light modules in the terminal's text colour: right
	// on a dark background.
	paintLight
	// paintDark draws the dark modules: right on a light background.
	paintDark
)

// The darkest and the brightest of the 256 colours' cube, which themes leave
// alone; the first sixteen they change.
const (
	qrColors     = "\x1b[38;5;16;48;5;231m"
	qrColorsDone = "\x1b[0m"
)

// render gives the lines of the code.
func (q qrCode) render(style qrStyle) string {
	var out strings.Builder
	painted := func(x, y int) bool { return q.dark(x, y) != (style == paintLight) }
	for y := -quietZone; y < q.size+quietZone; y += 2 {
		if style == blackOnWhite {
			out.WriteString(qrColors)
		}
		for x := -quietZone; x < q.size+quietZone; x++ {
			switch upper, lower := painted(x, y), painted(x, y+1); {
			case upper && lower:
				out.WriteRune('█')
			case upper:
				out.WriteRune('▀')
			case lower:
				out.WriteRune('▄')
			default:
				out.WriteByte(' ')
			}
		}
		if style == blackOnWhite {
			out.WriteString(qrColorsDone)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// showQR shows the address as a QR code on stderr, if --qr says so, or nobody
// says anything and it can be seen there, whole and together with the text that
// comes below it.
func (a *app) showQR(address, below string) bool {
	if a.qr == "never" {
		return false
	}
	code, err := encodeQR(address)
	if err != nil || a.qr != "always" && !a.canShow(code, below) {
		return false
	}
	a.say("%s", code.render(a.qrStyle()))
	return true
}

// sayNoQR answers who asked for a QR code where there is none.
func (a *app) sayNoQR() {
	if a.qr == "always" {
		a.say("There is a QR code only with --device: this address leads back to this machine.")
	}
}

// canShow says whether stderr is a terminal that shows the code in one piece
// and has room for the text below it.
func (a *app) canShow(code qrCode, below string) bool {
	file, ok := fileOf(a.err)
	if !ok || !isTerminal(a.err) || a.getenv("TERM") == "dumb" || !a.unicode() {
		return false
	}
	width, height, err := term.GetSize(int(file.Fd()))
	return err == nil && fits(code, below, width, height)
}

// fits says so for a terminal of that size. The cursor stands below it all.
func fits(code qrCode, below string, width, height int) bool {
	if width < code.columns() {
		return false
	}
	lines := code.lines() + 1
	for line := range strings.SplitSeq(below, "\n") {
		lines += max(1, (utf8.RuneCountInString(line)+width-1)/width)
	}
	return lines < height
}

// unicode says whether the terminal shows half blocks: the locale says UTF-8,
// or it is Windows Terminal, where there are no locale variables.
func (a *app) unicode() bool {
	locale := firstOf(a.getenv("LC_ALL"), a.getenv("LC_CTYPE"), a.getenv("LANG"))
	locale = strings.ToLower(strings.ReplaceAll(locale, "-", ""))
	return strings.Contains(locale, "utf8") || a.getenv("WT_SESSION") != ""
}

// qrStyle sets colours where colour is allowed. Without them the code is made
// of the terminal's own two, so which of the modules to draw depends on its
// background: some terminals tell it in $COLORFGBG ("15;0"), the others are
// taken for dark. Today's readers also take an inverted code, so a wrong guess
// costs a moment at worst.
func (a *app) qrStyle() qrStyle {
	if a.paint(a.err).color {
		return blackOnWhite
	}
	set := a.getenv("COLORFGBG")
	if background := set[strings.LastIndex(set, ";")+1:]; background == "7" || background == "15" {
		return paintDark
	}
	return paintLight
}
