// Package eventlog keeps what happened to the sessions as JSON lines in a file
// that stays small.
package eventlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// MaxSize is how large the file may become, in bytes. Then it becomes the
// former file, and the one before that goes.
const MaxSize = 256 << 10

// Log is the file and the former one beside it, whose name ends in ".1".
type Log struct{ Path string }

// Append adds an event. Each goes out in one write to a file opened for
// appending, so that lines of several processes don't mix.
func (l Log) Append(e offline.Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	file, err := os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(l.Path), 0o700); err == nil {
			file, err = os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("open event log: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	info, statErr := file.Stat()
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write event log: %w", err)
	}
	if statErr == nil && info.Size() > MaxSize {
		// Two processes may do this at once; then the second moves a file that
		// is nearly empty, which costs history and nothing else.
		if err := os.Rename(l.Path, l.Path+".1"); err != nil {
			return fmt.Errorf("turn event log: %w", err)
		}
	}
	return nil
}

// Read gives the events, oldest first. Lines that are no events are passed
// over: a process may have been killed in the middle of one.
func (l Log) Read() ([]offline.Event, error) {
	var events []offline.Event
	for _, path := range []string{l.Path + ".1", l.Path} {
		data, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read event log: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			var e offline.Event
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.Type != "" {
				events = append(events, e)
			}
		}
	}
	return events, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the log's own path
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // opened for reading
	return io.ReadAll(io.LimitReader(file, 4*MaxSize))
}
