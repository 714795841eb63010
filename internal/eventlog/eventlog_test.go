package eventlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

func newLog(t *testing.T) Log {
	t.Helper()
	return Log{Path: filepath.Join(t.TempDir(), "state", "events.log")}
}

func mustAppend(t *testing.T, l Log, events ...offline.Event) {
	t.Helper()
	for _, e := range events {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRead(t *testing.T, l Log) []offline.Event {
	t.Helper()
	events, err := l.Read()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func numbered(n int) offline.Event {
	return offline.Event{
		Type: offline.EventWarning, Profile: "work", Warning: offline.WarningType(fmt.Sprintf("warning_%d", n)), // each a new one, which is written
		Message: fmt.Sprintf("event %d", n), Time: time.Unix(int64(n), 0).UTC(), ExpiredFor: time.Duration(n) * time.Second,
	}
}

func TestNothingYet(t *testing.T) {
	if events := mustRead(t, newLog(t)); events != nil {
		t.Errorf("a log that is not there has %v", events)
	}
}

func TestAppendAndRead(t *testing.T) {
	l := newLog(t)
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	want := []offline.Event{
		{Type: offline.EventSignedIn, Profile: "work", Time: at},
		{Type: offline.EventOfflineEntered, Profile: "work", Time: at.Add(time.Hour), Reason: offline.ReasonServerUnavailable, HasToken: true, LastSync: at},
		{Type: offline.EventOfflineExited, Profile: "work", Time: at.Add(2 * time.Hour), Lasted: time.Hour, NetworkRestored: true, LastSync: at.Add(2 * time.Hour)},
		{Type: offline.EventSignedOut, Profile: "home", Time: at.Add(3 * time.Hour), Cause: offline.CauseRejected},
	}
	mustAppend(t, l, want...)
	if have := mustRead(t, l); !reflect.DeepEqual(have, want) {
		t.Errorf("read %+v\nwant %+v", have, want)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, mode := range map[string]os.FileMode{l.Path: 0o600, filepath.Dir(l.Path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, mode)
		}
	}
}

func TestTurning(t *testing.T) {
	l := newLog(t)
	const n = 6000
	for i := range n {
		mustAppend(t, l, numbered(i))
	}
	for _, path := range []string{l.Path, l.former()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > MaxSize+1024 {
			t.Errorf("%s has %d bytes", path, info.Size())
		}
	}
	events := mustRead(t, l)
	if len(events) < 1000 || len(events) >= n {
		t.Fatalf("%d of %d events are left", len(events), n)
	}
	// The latest ones, in order and without a gap.
	for i, e := range events {
		if want := fmt.Sprintf("event %d", n-len(events)+i); e.Message != want {
			t.Fatalf("event %d of those that are left is %q, want %q", i, e.Message, want)
		}
	}
}

func TestManyWriters(t *testing.T) {
	if testenv.Wine() {
		t.Skip("Wine appends in two steps, so that two writers may hit one place")
	}
	l := newLog(t)
	const writers, each = 20, 25
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := l.Append(numbered(w*each + i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, e := range mustRead(t, l) {
		seen[e.Message] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d of %d events came through", len(seen), writers*each)
	}
}

// TestManyTurn has many processes turn the log at the same time. History may be
// lost then, but no line may be broken and no call may fail.
func TestManyTurn(t *testing.T) {
	l := newLog(t)
	mustAppend(t, l, numbered(0))
	filler := bytes.Repeat([]byte("filler\n"), MaxSize/7)
	if err := os.WriteFile(l.Path, filler, 0o600); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range 20 {
		group.Go(func() {
			if err := l.Append(numbered(w)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if testenv.Wine() {
		return // it appends in two steps, so that two writers may hit one place
	}
	for _, path := range []string{l.Path, l.former()} {
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if text := string(line); text != "filler\n" && (!strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}\n")) {
				t.Errorf("broken line %q", text)
			}
		}
	}
}

func TestBrokenLines(t *testing.T) {
	for name, before := range map[string]string{
		"cut off":        `{"time":"2026-03-04T05:06:07Z","type":"signed_in","pro`,
		"empty":          "\n\n\n",
		"no event":       "{}\n[]\nnull\n7\n\"text\"\n",
		"other kind":     "{\"time\":\"2026-03-04T05:06:07Z\",\"type\":7}\n",
		"zeros":          strings.Repeat("\x00", 4096),
		"very long line": strings.Repeat("x", 200<<10) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			mustAppend(t, l, numbered(1))
			file, err := os.OpenFile(l.Path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteString(before); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, numbered(2))
			events := mustRead(t, l)
			if len(events) != 2 || events[0].Message != "event 1" || events[1].Message != "event 2" {
				t.Errorf("read %+v", events)
			}
		})
	}
}

// TestForTerminal: the file can be written by others, and is shown.
func TestForTerminal(t *testing.T) {
	l := newLog(t)
	mustAppend(t, l, numbered(0))
	line := `{"time":"2026-03-04T05:06:07Z","type":"offline_auth_warning","profile":"a\u001b]0;b\u0007","warning":"w\u001b[31m","message":"m\nn\u202e"}` + "\n"
	if err := os.WriteFile(l.Path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	events := mustRead(t, l)
	if len(events) != 1 {
		t.Fatalf("read %+v", events)
	}
	for _, text := range []string{events[0].Profile, string(events[0].Warning), events[0].Message} {
		if strings.ContainsAny(text, "\x1b\x07\n\u202e") {
			t.Errorf("%q is not fit for a terminal", text)
		}
	}
}

func TestUnusable(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Log{Path: filepath.Join(blocked, "events.log")}).Append(numbered(1)); err == nil {
		t.Error("a log below a file was written")
	}
	if err := (Log{Path: dir}).Append(numbered(1)); err == nil {
		t.Error("a folder was written")
	}
	if _, err := (Log{Path: dir}).Read(); err == nil {
		t.Error("a folder was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"time":"2026-03-04T05:06:07Z","type":"signed_in","profile":"work"}` + "\n"))
	f.Add([]byte(`{"time":"2026-03-04T05:06:07Z","type":"offline_mode_exited","profile":"work","lasted":"1h"}`))
	f.Add([]byte("\x00\n{\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		l := Log{Path: filepath.Join(t.TempDir(), "events.log")}
		if err := os.WriteFile(l.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		before := mustRead(t, l)
		mustAppend(t, l, numbered(1))
		events := mustRead(t, l)
		if len(content) > MaxSize {
			return
		}
		if len(events) != len(before)+1 || events[len(before)].Message != "event 1" {
			t.Errorf("%d events before, then %+v", len(before), events)
		}
	})
}

// TestWarningsOnce: an outage has the same warnings at every call, and the log
// has them once.
func TestWarningsOnce(t *testing.T) {
	l := Log{Path: filepath.Join(t.TempDir(), "events.log")}
	warning := func(profile string, w offline.WarningType) offline.Event {
		return offline.Event{Type: offline.EventWarning, Profile: profile, Warning: w, Message: "m"}
	}
	for _, e := range []offline.Event{
		{Type: offline.EventOfflineEntered, Profile: "a"},
		warning("a", offline.WarnUsingExpiredToken),
		warning("a", offline.WarnTokenValidationSkipped),
		warning("b", offline.WarnUsingExpiredToken),
		warning("a", offline.WarnUsingExpiredToken),      // again
		warning("a", offline.WarnTokenValidationSkipped), // again
		warning("a", offline.WarnRepeatRefreshFailure),
		{Type: offline.EventTokenRefreshed, Profile: "a"},
		warning("a", offline.WarnUsingExpiredToken),
	} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	events, err := l.Read()
	if err != nil || len(events) != 7 {
		t.Errorf("%d events, %v, expected 7: %+v", len(events), err, events)
	}
}
