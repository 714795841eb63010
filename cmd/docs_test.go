package cmd

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every setting has a row in the table of docs/configuration.md, with its
// default, its environment variable and its flag; and no row is about a
// setting that does not exist.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "configuration.md")
	login := find(t, testRoot(), "login")
	rows := map[string][]string{}
	_, table, found := strings.Cut(page, "## The keys of a profile")
	if !found {
		t.Fatal("docs/configuration.md has no section \"The keys of a profile\"")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.Lines(table) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 7 && strings.HasPrefix(cells[1], " `") {
			rows[strings.Trim(cells[1], " `")] = cells
		}
	}
	for _, s := range settings() {
		row, ok := rows[s.key]
		delete(rows, s.key)
		if !ok {
			t.Errorf("docs/configuration.md has no row for %s", s.key)
			continue
		}
		flag := ""
		if login.Flags().Lookup(flagOf(s)) != nil {
			flag = "--" + flagOf(s)
		}
		for i, want := range map[int]string{2: s.def, 3: s.env, 4: flag} {
			got := strings.TrimSpace(row[i])
			if want != "" && got != "`"+want+"`" || want == "" && strings.Contains(got, "`") {
				t.Errorf("docs/configuration.md, %s, column %d: %s, want %q", s.key, i, got, want)
			}
		}
	}
	for key := range rows {
		t.Errorf("docs/configuration.md explains %s, which does not exist", key)
	}
}

// Every environment variable that this package reads is on the page.
func TestConfigurationPageHasVariables(t *testing.T) {
	t.Parallel()
	page := readDoc(t, "configuration.md")
	variable := regexp.MustCompile(`getenv\("([A-Z_]+)"\)`)
	for _, file := range goFiles(t) {
		for _, match := range variable.FindAllStringSubmatch(file, -1) {
			if name := match[1]; !slices.Contains([]string{"TERM"}, name) && !strings.Contains(page, name) {
				t.Errorf("docs/configuration.md does not name $%s", name)
			}
		}
	}
}

// Every command has a section in docs/commands.md that names its flags.
func TestCommandsPage(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, section := range strings.Split(readDoc(t, "commands.md"), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		sections[strings.Trim(heading, "`")] = text
	}
	root := testRoot()
	checkFlags(t, "Global flags", sections["Global flags"], root.PersistentFlags())
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		if c.Hidden || c.HasSubCommands() || c.Name() == "help" {
			return
		}
		section, ok := sections[c.CommandPath()]
		if !ok {
			t.Errorf("docs/commands.md has no section %q", c.CommandPath())
			return
		}
		checkFlags(t, c.CommandPath(), section, c.LocalNonPersistentFlags())
	}
	visit(root)
	if !strings.Contains(sections["Exit codes"], "| 130 |") {
		t.Error("docs/commands.md has no table of exit codes")
	}
}

// Links between the pages lead somewhere, down to the section.
func TestLinksOfTheDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	providers, err := filepath.Glob("../docs/providers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, providers...)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			path, section, _ := strings.Cut(match[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, match[1], err)
			} else if section != "" && !hasSection(t, target, section) {
				t.Errorf("%s links to %s: there is no such section", page, match[1])
			}
		}
	}
}

// hasSection knows headings by the names that GitHub gives them.
func hasSection(t *testing.T, page, section string) bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		title, isHeading := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !isHeading || !strings.HasPrefix(line, "#") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))
		if name == section {
			return true
		}
	}
	return false
}

func checkFlags(t *testing.T, where, section string, flags *pflag.FlagSet) {
	t.Helper()
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		word := regexp.MustCompile("`--" + regexp.QuoteMeta(f.Name) + "[`\\[ ]")
		if !word.MatchString(section) {
			t.Errorf("docs/commands.md, %s: no --%s", where, f.Name)
		}
		if f.Shorthand != "" && !strings.Contains(section, "`-"+f.Shorthand+"`") {
			t.Errorf("docs/commands.md, %s: no -%s", where, f.Shorthand)
		}
	})
}

func testRoot() *cobra.Command {
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }}
	return a.root(nil)
}

func find(t *testing.T, root *cobra.Command, name string) *cobra.Command {
	t.Helper()
	c, _, err := root.Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func goFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			text, err := os.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	return texts
}
