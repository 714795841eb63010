package setup

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"time"
)

// probeTime is how long a program may take to say its version.
const probeTime = 3 * time.Second

// Found is a tool on this machine.
type Found struct {
	// Path is the program; "" if there is none.
	Path string
	// Version that it gives; "" if it gives none in time.
	Version string
}

// Find looks for the tool in PATH and asks for its version.
func (t Tool) Find(ctx context.Context, c Common) Found {
	for _, name := range t.Programs {
		path, ok := c.onPath(name)
		if !ok {
			continue
		}
		if c.ourLink(path) {
			continue // keyring may be ours
		}
		return Found{Path: path, Version: programVersion(ctx, path, t.Version)}
	}
	return Found{}
}

func programVersion(ctx context.Context, path string, args []string) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second // for what it left behind with our pipe
	var out bytes.Buffer
	cmd.Stdout = &limitedBuffer{&out}
	if cmd.Run() != nil {
		return ""
	}
	return versionIn(out.String())
}

// versionIn is the first thing that looks like a version.
func versionIn(text string) string {
	return regexp.MustCompile(`\d+\.\d+[0-9A-Za-z.+-]*`).FindString(text)
}

// limitedBuffer takes the beginning of an output and drops the rest.
type limitedBuffer struct{ buf *bytes.Buffer }

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if room := 4096 - l.buf.Len(); room > 0 {
		l.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
