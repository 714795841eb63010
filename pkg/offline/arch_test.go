package offline_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	gotoken "go/token"
	"slices"
	"strings"
	"testing"
)

// TestPure holds the package to what its comment promises: no file, no
// network, no clock of its own. What it imports is the standard library, as
// far as it only describes failures, and golang.org/x/oauth2 for one type.
func TestPure(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"bytes", "context", "crypto/tls", "crypto/x509", "encoding/json", "errors", "fmt", "io", "math", "net", "net/http", "net/url",
		"strconv", "strings", "syscall", "time", "unicode", "unicode/utf8", "golang.org/x/oauth2",
	}
	for _, path := range pkg.Imports {
		if !slices.Contains(allowed, path) {
			t.Errorf("it imports %s", path)
		}
	}

	// Of the packages that can do more than describe, this is what is used.
	used := map[string][]string{
		"context": {"Canceled", "DeadlineExceeded"},
		"tls":     {"AlertError", "CertificateVerificationError", "RecordHeaderError"},
		"x509":    {"Certificate", "CertificateInvalidError", "HostnameError", "SystemRootsError", "UnknownAuthorityError"},
		"io":      {"EOF", "ErrUnexpectedEOF"},
		"net":     {"DNSError", "ErrClosed", "OpError"},
		"http":    {"DetectContentType", "ErrSchemeMismatch", "Header", "ParseTime"},
		"url":     {"Parse"},
		"oauth2":  {"RetrieveError"},
		"syscall": {"ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EPIPE", "Errno"},
		"time":    {"Duration", "Hour", "Minute", "ParseDuration", "Second", "Time"},
		"fmt":     {"Errorf", "Sprintf"},
	}
	files := gotoken.NewFileSet()
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			names, limited := used[from.Name]
			status := from.Name == "http" && strings.HasPrefix(sel.Sel.Name, "Status")
			if limited && !status && !slices.Contains(names, sel.Sel.Name) {
				t.Errorf("%s: %s.%s", files.Position(sel.Pos()), from.Name, sel.Sel.Name)
			}
			return true
		})
		for _, imported := range file.Imports {
			if imported.Name != nil {
				t.Errorf("%s: an import under another name would hide what it is used for", files.Position(imported.Pos()))
			}
		}
	}
}
