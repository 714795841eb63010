package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPage: docs/security.md says of each rule which test shows it, and
// each of those tests exists where the page says.
func TestSecurityPage(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	data, err := os.ReadFile(filepath.Join(docs, "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	name := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	link := regexp.MustCompile(`\[((?:Test|Fuzz)[A-Z]\w*)\]\(([^)#]+_test\.go)\)`)
	tests := map[string]map[string]bool{} // by file
	for _, match := range link.FindAllStringSubmatch(page, -1) {
		test, file := match[1], filepath.Join(docs, filepath.FromSlash(match[2]))
		if tests[file] == nil {
			tests[file] = testsOf(t, file)
		}
		if !tests[file][test] {
			t.Errorf("docs/security.md names %s, which %s does not have", test, match[2])
		}
	}
	if len(tests) == 0 {
		t.Error("docs/security.md names no test")
	}
	// A name without its file is one that nothing checks; a pattern is none.
	rest := strings.ReplaceAll(link.ReplaceAllString(page, ""), "`TestAttack`", "")
	for _, test := range name.FindAllString(rest, -1) {
		t.Errorf("docs/security.md names %s without a link to its file", test)
	}
	// No attack is left out.
	files, err := filepath.Glob(filepath.Join("..", "..", "pkg", "oidcflow", "attack_*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join("..", "e2e", "attack_test.go")) {
		for test := range testsOf(t, file) {
			if !strings.Contains(page, "["+test+"](") {
				t.Errorf("docs/security.md does not name %s of %s", test, file)
			}
		}
	}
}

// testsOf are the tests and fuzz targets of a file.
func testsOf(t *testing.T, name string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	found := map[string]bool{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
			found[f.Name.Name] = true
		}
	}
	return found
}
