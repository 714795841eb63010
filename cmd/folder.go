package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A folder can choose among the saved profiles, and do nothing else: the file
// comes with whatever somebody has cloned or unpacked, so there is nothing in
// it that could name a provider, a command or a server.

// folderFile holds the name of the profile to use in its folder and below.
const folderFile = ".oidc-cred"

// maxFolderFile bounds it: it is read at every call.
const maxFolderFile = 4 << 10

// folderProfile looks for the file in the folder and in those above it, and
// gives the name in the nearest one and its path; "" if there is none.
func (a *app) folderProfile() (name, path string, err error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", "", nil // the folder was removed; there is nothing to find
	}
	for {
		path := filepath.Join(folder, folderFile)
		// One that can't be looked at is not one that somebody put there for us.
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			if ours(info, folder) {
				name, err := readFolderFile(path, info)
				return name, path, err
			}
			a.debugf("%s is passed over: it belongs to another user", path)
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", "", nil
		}
		folder = above
	}
}

func readFolderFile(path string, info os.FileInfo) (string, error) {
	data, err := func() ([]byte, error) {
		// Nor a link: whoever made the folder would choose what is read, and
		// its name would be shown if there is no such profile.
		if !info.Mode().IsRegular() {
			return nil, errors.New("it is no regular file")
		}
		file, err := os.Open(path)
		if err != nil {
			var detail *os.PathError
			if errors.As(err, &detail) {
				err = detail.Err
			}
			return nil, err
		}
		defer file.Close() //nolint:errcheck // opened for reading
		if now, err := file.Stat(); err != nil || !os.SameFile(info, now) {
			return nil, errors.New("it is being changed")
		}
		return io.ReadAll(io.LimitReader(file, maxFolderFile+1))
	}()
	name := ""
	if err == nil {
		name, err = parseFolderFile(data)
	}
	if err != nil {
		return "", usageError{
			message: fmt.Sprintf("%s: %s", path, err),
			hint:    "such a file holds the name of a profile and nothing else; correct it, remove it, or name a profile with --profile",
		}
	}
	return name, nil
}

// parseFolderFile takes the name out of the file: one line, besides blank ones
// and comments. What is no name is never shown.
func parseFolderFile(data []byte) (string, error) {
	if len(data) > maxFolderFile {
		return "", fmt.Errorf("it is larger than %d bytes", maxFolderFile)
	}
	name := ""
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		text := strings.TrimSpace(string(line))
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
		case name != "":
			return "", errors.New("expected one line with the name of a profile, and there are more")
		default:
			name = text
			if err := checkProfileName(name); err != nil {
				return "", err
			}
		}
	}
	if name == "" {
		return "", errors.New("expected a line with the name of a profile")
	}
	return name, nil
}
