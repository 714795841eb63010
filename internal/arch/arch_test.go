// Package arch holds the program to its architecture: which package may import
// which, who prints, and whose clock counts.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/oidc-cred/oidc-cred"

// source is one file of the module that is no test.
type source struct {
	// dir is its folder within the module: "pkg/session".
	dir     string
	file    *ast.File
	imports []string
	at      func(ast.Node) string
}

// sources reads the module's files, without those of the modules inside it.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	files := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, other := os.Stat(filepath.Join(name, "go.mod"))
			if base := entry.Name(); name != root && (other == nil || base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		s := source{dir: filepath.ToSlash(dir), file: file, at: func(n ast.Node) string { return files.Position(n.Pos()).String() }}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A test that reads nothing finds nothing wrong.
	for _, dir := range []string{".", "cmd", "internal/helper", "pkg/session", "pkg/oidcflow", "pkg/offline", "pkg/cache"} {
		if !slices.ContainsFunc(all, func(s source) bool { return s.dir == dir }) {
			t.Fatalf("there is no Go file in %s", dir)
		}
	}
	return all
}

// in says whether a folder or an import path is base or below it.
func in(dir, base string) bool { return dir == base || strings.HasPrefix(dir, base+"/") }

// own gives the folder of an import that is the module's own.
func own(imported string) (dir string, ok bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// TestArrows: cmd → internal/helper → pkg/session → {oidcflow, offline, cache}.
func TestArrows(t *testing.T) {
	// What each folder of pkg may import of the module; folders that are not
	// here may import nothing of it.
	allowed := map[string][]string{
		"pkg/session":           {"pkg/oidcflow", "pkg/offline", "pkg/cache"},
		"pkg/cache":             {"internal/dbusguard"},
		"pkg/oidcflow/oidctest": {"pkg/oidcflow"},
	}
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			dir, ok := own(imported)
			switch {
			case !ok:
			case in(s.dir, "pkg") && !slices.Contains(allowed[s.dir], dir):
				t.Errorf("%s imports %s", s.dir, dir)
			case s.dir == "internal/helper" && dir != "pkg/session" && dir != "pkg/offline" && dir != "pkg/oidcflow":
				t.Errorf("%s imports %s", s.dir, dir)
			case dir == "cmd" && s.dir != "." && !in(s.dir, "internal/demo"):
				t.Errorf("%s imports %s, which only main does", s.dir, dir)
			}
		}
	}
}

// TestForeignImports: the command line's packages stay in cmd, helpers do
// without Kubernetes', and the decision depends on next to nothing.
func TestForeignImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			switch {
			case in(imported, "github.com/spf13/viper") && s.dir != "cmd":
				t.Errorf("%s imports viper, which only cmd does", s.dir)
			case in(imported, "github.com/spf13/cobra") && s.dir != "cmd":
				t.Errorf("%s imports cobra, which only cmd does", s.dir)
			case in(s.dir, "pkg/offline") && !standard && imported != "golang.org/x/oauth2":
				t.Errorf("%s imports %s", s.dir, imported)
			case strings.HasPrefix(imported, "k8s.io/") || strings.HasPrefix(imported, "sigs.k8s.io/"):
				t.Errorf("%s imports %s: six fields of JSON are no reason", s.dir, imported)
			}
		}
	}
}

// prints are the names of the standard library with which a package prints or
// ends the program.
func prints(pkg, name string) bool {
	switch pkg {
	case "fmt":
		return strings.HasPrefix(name, "Print")
	case "log":
		return name != "New" && name != "Logger"
	case "os":
		return name == "Stdout" || name == "Stderr" || name == "Stdin" || name == "Exit"
	case "builtin":
		return name == "print" || name == "println"
	}
	return false
}

// TestNothingPrints: packages give results and errors, and cmd alone talks to
// people.
func TestNothingPrints(t *testing.T) {
	for _, s := range sources(t) {
		if !in(s.dir, "pkg") && s.dir != "internal/helper" && s.dir != "internal/eventlog" {
			continue
		}
		s.names(func(n ast.Node, pkg, name string) {
			if prints(pkg, name) {
				t.Errorf("%s: %s.%s", s.at(n), pkg, name)
			}
		})
	}
}

// TestClock: time is a parameter or a field Now, of which [time.Now] is only
// the default. The scripted provider, for tests, is held to it too but where
// it makes nothing depend on the time.
func TestClock(t *testing.T) {
	for _, s := range sources(t) {
		if !in(s.dir, "pkg") || in(s.dir, "pkg/oidcflow/oidctest") {
			continue
		}
		called := map[ast.Expr]bool{}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				called[call.Fun] = true
			}
			return true
		})
		s.names(func(n ast.Node, pkg, name string) {
			expr, _ := n.(ast.Expr)
			if pkg == "time" && (name == "Since" || name == "Until" || name == "Now" && called[expr]) {
				t.Errorf("%s: time.%s goes by the machine's clock: use Now", s.at(n), name)
			}
		})
	}
}

// names visits what the file uses of the standard library, whatever it calls
// the packages, and the predeclared functions as the package builtin.
func (s source) names(visit func(n ast.Node, pkg, name string)) {
	known := map[string]string{}
	for i, spec := range s.file.Imports {
		if local := path.Base(s.imports[i]); spec.Name == nil {
			known[local] = s.imports[i]
		} else {
			known[spec.Name.Name] = s.imports[i]
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && known[x.Name] != "" {
				visit(n, known[x.Name], n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok {
				visit(n, "builtin", f.Name)
			}
		}
		return true
	})
}
