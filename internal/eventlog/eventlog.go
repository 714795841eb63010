// Package eventlog keeps what happened to the sessions as JSON lines in a file
// that stays small.
package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// MaxSize is how large the file may become, in bytes. Then it becomes the
// former file, and the one before that goes.
const MaxSize = 256 << 10

// Log is the file and the former one beside it, whose name ends in ".1".
type Log struct{ Path string }

// Append adds an event. Each goes out in one write to a file opened for
// appending, so that lines of several processes don't mix. A warning that the
// profile has had since its last other event is not added again: in an outage
// every call has the same ones, and they would push out how it began.
func (l Log) Append(e offline.Event) error {
	file, err := l.open()
	if err != nil {
		return fmt.Errorf("open event log: %w", err)
	}
	if e.Type == offline.EventWarning && saidBefore(file, e) {
		return file.Close()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return errors.Join(fmt.Errorf("encode event: %w", err), file.Close())
	}
	err = write(file, append(line, '\n'))
	info, statErr := file.Stat()
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write event log: %w", err)
	}
	if statErr == nil && info.Size() > MaxSize {
		return l.turn(info)
	}
	return nil
}

// turn makes the file, as it was seen, the former one. Another process may have
// done so meanwhile; what is there now is a new one. If both find it at once,
// the second moves a file that is nearly empty, which costs history and nothing
// else.
func (l Log) turn(seen fs.FileInfo) error {
	now, err := os.Stat(l.Path)
	if err == nil && os.SameFile(seen, now) {
		err = os.Rename(l.Path, l.former())
		if runtime.GOOS == "windows" {
			// There it is forbidden while somebody has it open. A later event
			// tries again.
			err = nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("turn event log: %w", err)
	}
	return nil
}

func (l Log) former() string { return l.Path + ".1" }

// open opens the file for reading too: its last byte tells whether the last
// line is whole.
func (l Log) open() (*os.File, error) {
	const flags = os.O_CREATE | os.O_APPEND | os.O_RDWR
	file, err := os.OpenFile(l.Path, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(l.Path), 0o700); err == nil {
			file, err = os.OpenFile(l.Path, flags, 0o600)
		}
	}
	return file, err
}

// write appends a line. One that was cut off before it (by a full disk, or the
// machine's end) is ended first, so that it takes no other along.
func write(file *os.File, line []byte) error {
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	_, err := file.Write(line)
	return err
}

// tail is how much of the file's end is looked through for an earlier warning.
const tail = 8 << 10

// saidBefore looks from the end for the same warning of the same profile.
func saidBefore(file *os.File, e offline.Event) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	data := make([]byte, min(info.Size(), tail))
	if _, err := file.ReadAt(data, info.Size()-int64(len(data))); err != nil {
		return false
	}
	// The lines are ours, and quotation marks in texts are escaped in them, so
	// looking for a member is enough; reading each as JSON would cost an
	// offline token a tenth of its time.
	profile, kind, same := member("profile", e.Profile), member("type", string(e.Type)), member("warning", string(e.Warning))
	for _, line := range slices.Backward(bytes.Split(data, []byte("\n"))) {
		switch {
		case !bytes.Contains(line, profile):
		case !bytes.Contains(line, kind):
			return false
		case bytes.Contains(line, same):
			return true
		}
	}
	return false
}

func member(name, value string) []byte {
	return []byte(strconv.Quote(name) + ":" + strconv.Quote(value))
}

// Read gives the events, oldest first. Lines that are no events are passed
// over: a process may have been killed in the middle of one.
func (l Log) Read() ([]offline.Event, error) {
	var events []offline.Event
	for _, path := range []string{l.former(), l.Path} {
		data, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read event log: %w", err)
		}
		for line := range bytes.Lines(data) {
			var e offline.Event
			if json.Unmarshal(line, &e) == nil && e.Type != "" {
				events = append(events, e)
			}
		}
	}
	return events, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, 4*MaxSize))
}
