package cmd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rsc.io/qr/coding"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

const qrAddress = "https://id.example.com/device?user_code=WDJB-MJHT"

// modules reads a rendered code as a camera does: what is light and what is
// dark on a background. It is square, with its margin.
func modules(t *testing.T, text string, style qrStyle) [][]bool {
	t.Helper()
	var rows [][]bool
	for line := range strings.Lines(strings.TrimSuffix(text, "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if style == blackOnWhite {
			var ok bool
			if line, ok = strings.CutPrefix(line, qrColors); !ok {
				t.Fatalf("a line without its colours: %q", line)
			}
			if line, ok = strings.CutSuffix(line, qrColorsDone); !ok {
				t.Fatalf("a line that does not put the colours back: %q", line)
			}
		}
		var upper, lower []bool
		for _, r := range line {
			painted, known := map[rune][2]bool{' ': {}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}}[r]
			if !known {
				t.Fatalf("a character that is no half block: %q", r)
			}
			for half, row := range []*[]bool{&upper, &lower} {
				*row = append(*row, painted[half] != (style == paintLight)) // true is dark
			}
		}
		rows = append(rows, upper, lower)
	}
	return rows
}

// A rendered code has every module of the code, and the margin around it.
func TestRenderQR(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", qrAddress, "https://id.example.com/" + strings.Repeat("x", 300)} {
		code, err := encodeQR(text)
		if err != nil {
			t.Fatal(err)
		}
		want := reference(t, text, code.size)
		for _, style := range []qrStyle{blackOnWhite, paintLight, paintDark} {
			got := modules(t, code.render(style), style)
			if len(got) != 2*code.lines() || len(got) < code.columns() {
				t.Fatalf("%d rows for %d modules", len(got), code.columns())
			}
			for y, row := range got {
				if len(row) != code.columns() {
					t.Fatalf("row %d has %d modules, want %d", y, len(row), code.columns())
				}
				for x, dark := range row {
					// The half line below the margin, if any, is light as well.
					if dark != want(x-quietZone, y-quietZone) {
						t.Fatalf("style %d: the module %d, %d of %q is wrong", style, x, y, text)
					}
				}
			}
		}
	}
}

// reference is the library's own code, which is found by its size.
func reference(t *testing.T, text string, size int) func(x, y int) bool {
	t.Helper()
	plan, err := coding.NewPlan(coding.Version((size-17)/4), coding.L, 0)
	if err != nil {
		t.Fatal(err)
	}
	code, err := plan.Encode(coding.String(text))
	if err != nil {
		t.Fatal(err)
	}
	return code.Black
}

func TestQRTooLong(t *testing.T) {
	t.Parallel()
	if _, err := encodeQR(strings.Repeat("x", 3000)); err == nil {
		t.Error("3000 bytes fit into a QR code")
	}
}

// Without colours the background decides what is drawn.
func TestQRStyle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		color string
		env   map[string]string
		want  qrStyle
	}{
		"colour":                    {"always", nil, blackOnWhite},
		"colour, light":             {"always", map[string]string{"COLORFGBG": "0;15"}, blackOnWhite},
		"no colour":                 {"never", nil, paintLight},
		"no colour, dark":           {"never", map[string]string{"COLORFGBG": "15;0"}, paintLight},
		"no colour, light":          {"never", map[string]string{"COLORFGBG": "0;15"}, paintDark},
		"no colour, light, as rxvt": {"never", map[string]string{"COLORFGBG": "0;default;15"}, paintDark},
		"no terminal":               {"auto", nil, paintLight},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &app{err: &bytes.Buffer{}, color: test.color, getenv: func(name string) string { return test.env[name] }}
			if got := a.qrStyle(); got != test.want {
				t.Errorf("style %d, want %d", got, test.want)
			}
		})
	}
}

func TestUnicode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C"}, false},
		{map[string]string{"LANG": "C.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.utf8"}, true},
		{map[string]string{"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, true},
		{map[string]string{"WT_SESSION": "1"}, true},
	} {
		a := &app{getenv: func(name string) string { return test.env[name] }}
		if got := a.unicode(); got != test.want {
			t.Errorf("%v: %t", test.env, got)
		}
	}
}

// Where stderr is no terminal there is no code, unless somebody asks for one.
func TestShowQR(t *testing.T) {
	t.Parallel()
	for when, want := range map[string]bool{"": false, "auto": false, "never": false, "always": true} {
		var out bytes.Buffer
		a := &app{err: &out, qr: when, color: "auto", getenv: func(string) string { return "" }}
		if got := a.showQR(qrAddress, ""); got != want || (out.Len() > 0) != want {
			t.Errorf("--qr %q: shown %t, %d bytes", when, got, out.Len())
		}
	}
}

// The code is drawn only where the text below it stays on the screen with it.
func TestQRFits(t *testing.T) {
	t.Parallel()
	code, err := encodeQR(qrAddress)
	if err != nil {
		t.Fatal(err)
	}
	wide := code.columns()
	long := strings.Repeat("x", 2*wide+1) // three lines of a terminal that is just as wide
	for name, test := range map[string]struct {
		below         string
		width, height int
		want          bool
	}{
		"ordinary terminal":   {"1\n2\n3\n4\n5\n6", 80, 24, false},
		"just high enough":    {"1\n2\n3", wide, code.lines() + 3 + 2, true},
		"one line too low":    {"1\n2\n3", wide, code.lines() + 3 + 1, false},
		"wrapped":             {"1\n" + long + "\n3", wide, code.lines() + 5 + 2, true},
		"wrapped, too low":    {"1\n" + long + "\n3", wide, code.lines() + 5 + 1, false},
		"one column too few":  {"", wide - 1, 200, false},
		"no size at all":      {"", 0, 0, false},
		"plenty of both ways": {long, 300, 100, true},
	} {
		if got := fits(code, test.below, test.width, test.height); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Address and code stand below the picture.
func TestDeviceCodeBelowQR(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{err: &out, qr: "always", color: "never", getenv: func(string) string { return "" }, now: time.Now}
	a.showDeviceCode(&profile{defaults: map[string]string{"issuer": "https://id.example.com"}}, oidcflow.DevicePrompt{URI: "https://id.example.com/device", UserCode: "ABCD-EFGH", CompleteURI: qrAddress, Expiry: time.Now().Add(time.Minute)})
	text := out.String()
	picture := strings.LastIndexAny(text, "█▀▄")
	for _, what := range []string{"  https://id.example.com/device\n", "  ABCD-EFGH\n", "  " + qrAddress + "\n", "The code is good for"} {
		if at := strings.Index(text, what); picture < 0 || at < picture {
			t.Errorf("%q stands at %d, the picture ends at %d:\n%s", what, at, picture, text)
		}
	}
}
