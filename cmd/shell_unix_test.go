//go:build !windows

package cmd

import (
	"context"
	"io"
	"os"
	"testing"
	"time"
)

// TestShellEndsItsChildren: what a command has started ends with it, so that
// nobody who reads our standard error waits for it.
func TestShellEndsItsChildren(t *testing.T) {
	if hasTerminal() {
		t.Skip("with a terminal a command stays in the group in front, which may ask")
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	run := shell(ctx, "echo started >&2; sleep 60; echo never")
	run.Stderr, run.WaitDelay = writer, time.Second
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	line := make([]byte, len("started\n"))
	if _, err := io.ReadFull(reader, line); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := run.Wait(); err == nil {
		t.Error("it was not ended")
	}
	// The pipe ends when its last writer does, which is the child.
	if err := reader.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}
