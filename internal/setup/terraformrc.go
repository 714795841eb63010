package setup

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// terraformBlocks reads a file; one in JSON has no blocks for us.
func terraformBlocks(file string) ([]hclBlock, error) {
	data, err := readFile(file)
	if err != nil || isJSON(data) {
		return nil, err
	}
	blocks, err := hclBlocks(data)
	if err != nil {
		return nil, unreadable(file, err)
	}
	return blocks, nil
}

func unreadable(file string, err error) error {
	return &Error{Message: file, Err: err, Advice: correctFirst, Usage: true}
}

// isJSON: HCL may be written as JSON, too.
func isJSON(data []byte) bool { return strings.HasPrefix(strings.TrimSpace(string(data)), "{") }

// withBlock gives the file with our block, in the place of another helper's if
// there is one. Arguments that somebody has added stay.
func (t Terraform) withBlock(file string, old []byte) ([]byte, error) {
	if isJSON(old) {
		return nil, usage("add this to it: \"credentials_helper\": {\"oidc-cred\": {\"args\": []}}", "%s is in JSON, which is left alone", file)
	}
	blocks, err := hclBlocks(old)
	if err != nil {
		return nil, unreadable(file, err)
	}
	eol := "\n"
	if strings.Contains(string(old), "\r\n") {
		eol = "\r\n"
	}
	text := string(old)
	done := false
	for _, b := range slices.Backward(blocks) {
		if b.kind != "credentials_helper" {
			continue
		}
		switch {
		case done:
			text = cutBlock(text, b)
		case b.label == terraformHelper && t.hasArgs(b):
		default:
			text = text[:b.start] + t.block(eol) + text[b.end:]
		}
		done = true
	}
	if done {
		return []byte(text), nil
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += eol
	}
	if text != "" {
		text += eol
	}
	return []byte(text + t.block(eol) + eol), nil
}

// hasArgs says whether the block calls us with the right configuration.
func (t Terraform) hasArgs(b hclBlock) bool {
	args, _ := b.strings("args")
	i := slices.Index(args, "--config")
	if t.Config == "" {
		return i < 0
	}
	return i >= 0 && i+1 < len(args) && args[i+1] == filepath.ToSlash(t.Config)
}

// block is what we write. No profile is in it: of the profiles that have the
// host the one in use is taken, and none of the others.
func (t Terraform) block(eol string) string {
	args := "[]"
	if t.Config != "" {
		args = `["--config", ` + strconv.Quote(filepath.ToSlash(t.Config)) + `]`
	}
	return `credentials_helper "` + terraformHelper + `" {` + eol + "  args = " + args + eol + "}"
}

// withoutBlock gives the file without our block.
func withoutBlock(file string, old []byte) ([]byte, error) {
	if isJSON(old) {
		return old, nil
	}
	blocks, err := hclBlocks(old)
	if err != nil {
		return nil, unreadable(file, err)
	}
	text := string(old)
	for _, b := range slices.Backward(blocks) {
		if b.kind == "credentials_helper" && b.label == terraformHelper {
			text = cutBlock(text, b)
		}
	}
	return []byte(text), nil
}

// cutBlock takes a block out, with its line and the blank line before it.
func cutBlock(text string, b hclBlock) string {
	before, after := text[:b.start], text[b.end:]
	after = strings.TrimPrefix(strings.TrimPrefix(after, "\r"), "\n")
	if trimmed := strings.TrimRight(before, " \t\r\n"); len(trimmed) < len(before) && strings.TrimSpace(after) == "" && trimmed != "" {
		eol := "\n"
		if strings.HasSuffix(before, "\r\n") {
			eol = "\r\n"
		}
		before = trimmed + eol
	}
	return before + after
}

// noteOwnTokens says where Terraform has a token of its own for the host, which
// it prefers to a helper's.
func (t Terraform) noteOwnTokens(host string, files []string) error {
	name := "TF_TOKEN_" + strings.ReplaceAll(strings.ReplaceAll(host, "-", "__"), ".", "_")
	if t.getenv(name) != "" {
		if err := t.say("note: %s is set, and Terraform takes that token first", name); err != nil {
			return err
		}
	}
	for _, file := range files {
		if !hasCredentials(file, host) {
			continue
		}
		if err := t.say("note: %s has a token for %s, which Terraform takes first: run 'terraform logout %s', or take it out", file, host, host); err != nil {
			return err
		}
	}
	return nil
}

func hasCredentials(file, host string) bool {
	data, err := readFile(file)
	if err != nil {
		return false
	}
	if isJSON(data) {
		var tokens struct {
			Credentials map[string]json.RawMessage `json:"credentials"`
		}
		if json.Unmarshal(data, &tokens) != nil {
			return false
		}
		_, has := tokens.Credentials[host]
		return has
	}
	blocks, err := hclBlocks(data)
	return err == nil && slices.ContainsFunc(blocks, func(b hclBlock) bool { return b.kind == "credentials" && strings.EqualFold(b.label, host) })
}
