package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Visitor is a person at a browser whose part the test plays itself.
type Visitor struct {
	// Program is what BROWSER is set to.
	Program string
	done    chan visit
}

type visit struct {
	page *Page
	err  error
}

// NewVisitor makes a BROWSER that hands the address it is given to the test.
// What open returns is the last page that the person saw.
func NewVisitor(t testing.TB, open func(address string) (*Page, error)) *Visitor {
	t.Helper()
	dir := t.TempDir()
	v := &Visitor{Program: filepath.Join(dir, "browser"), done: make(chan visit, 1)}
	file := filepath.Join(dir, "address")
	script := fmt.Sprintf("#!/bin/sh\nprintf %%s \"$1\" >'%s.new' && mv '%s.new' '%s'\n", file, file, file)
	if err := os.WriteFile(v.Program, []byte(script), 0o755); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	ended := t.Context().Done()
	go func() {
		for {
			address, err := os.ReadFile(file)
			if err == nil {
				page, err := open(string(address))
				v.done <- visit{page, err}
				return
			}
			select {
			case <-ended:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return v
}

// Page waits until the visit is over and demands that it went well.
func (v *Visitor) Page(t testing.TB) *Page {
	t.Helper()
	select {
	case visit := <-v.done:
		if visit.err != nil {
			t.Fatalf("in the browser: %v", visit.err)
		}
		return visit.page
	case <-time.After(30 * time.Second):
		t.Fatal("the program opened no browser, or the visit has no end")
		return nil
	}
}
