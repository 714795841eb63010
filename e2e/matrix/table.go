package matrix

import (
	"fmt"
	"slices"
	"strings"
)

// Table is the Markdown of the table.
func Table() string {
	var b strings.Builder
	b.WriteString("| feature | what is tested |")
	for _, p := range Providers() {
		fmt.Fprintf(&b, " %s |", p.Name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(Providers())) + "\n")
	for _, f := range Features() {
		fmt.Fprintf(&b, "| %s | %s |", f.Name, f.Text)
		for _, p := range Providers() {
			cell := "–"
			if slices.Contains(p.Tested, f.Name) {
				cell = "yes"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}
