package helper

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// The limits of git's protocol (git-credential(1), "Input/output format"), and
// one on the whole, so that a broken client can't fill the memory.
const (
	maxGitLine    = 65535
	maxGitRequest = 4 << 20
)

// gitRequest is what git asks or tells. Unknown keys are ignored, as the
// protocol demands.
type gitRequest struct {
	protocol, host, username string
	password, credential     string
	capabilities, state      []string
	// wwwauth are the WWW-Authenticate headers of the server's last answer.
	wwwauth []string
}

// readGitRequest reads key=value lines up to a blank line or the end.
func readGitRequest(r io.Reader) (gitRequest, error) {
	var q gitRequest
	limited := &io.LimitedReader{R: r, N: maxGitRequest}
	lines := bufio.NewReaderSize(limited, maxGitLine+2) // the line end doesn't count
	for {
		line, err := lines.ReadSlice('\n')
		last := errors.Is(err, io.EOF) // the last line may lack its end
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return gitRequest{}, gitFormat("a line is longer than %d bytes", maxGitLine)
		case err != nil && !last:
			return gitRequest{}, fmt.Errorf("read git's request: %w", err)
		case limited.N == 0:
			return gitRequest{}, gitFormat("it is longer than %d bytes", maxGitRequest)
		}
		// git's own reader accepts CR LF, and no CR elsewhere.
		text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(text) == 0 {
			return q, nil
		}
		if err := q.parse(text); err != nil {
			return gitRequest{}, err
		}
		if last {
			return q, nil
		}
	}
}

func (q *gitRequest) parse(line []byte) error {
	if len(line) > maxGitLine {
		return gitFormat("a line is longer than %d bytes", maxGitLine)
	}
	if bytes.ContainsAny(line, "\x00\r") {
		return gitFormat("a line holds a NUL or carriage return")
	}
	key, value, found := bytes.Cut(line, []byte("="))
	if !found {
		// The line may be a secret that lost its key: don't repeat it.
		return gitFormat("a line is not key=value")
	}
	switch string(key) {
	case "protocol":
		q.protocol = string(value)
	case "host":
		q.host = string(value)
	case "username":
		q.username = string(value)
	case "password":
		q.password = string(value)
	case "credential":
		q.credential = string(value)
	case "capability[]":
		q.capabilities = extend(q.capabilities, value)
	case "state[]":
		q.state = extend(q.state, value)
	case "wwwauth[]":
		q.wwwauth = extend(q.wwwauth, value)
	}
	return nil
}

// extend adds to a list; an empty value resets it.
func extend(list []string, value []byte) []string {
	if len(value) == 0 {
		return nil
	}
	return append(list, string(value))
}

func (q gitRequest) can(capability string) bool { return slices.Contains(q.capabilities, capability) }

// bearer says whether the token goes as a Bearer token: git has to know how,
// and the server must not have named Basic as the way and Bearer not. Gitea,
// GitLab and GitHub are such servers; they take a token as the password of
// Basic, and not all of them take it as Bearer. A server that named neither is
// asked with Bearer, which is how tokens go (RFC 6750).
func (q gitRequest) bearer() bool {
	return q.can("authtype") && (!offers(q.wwwauth, "Basic") || offers(q.wwwauth, "Bearer"))
}

func gitFormat(format string, args ...any) error {
	return &UsageError{Message: "git's request can't be read: " + fmt.Sprintf(format, args...)}
}
