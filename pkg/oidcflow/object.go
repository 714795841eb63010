package oidcflow

import (
	"bytes"
	"encoding/json"
	"errors"
)

// object is a JSON object that is read member by member: names match exactly
// (encoding/json ignores case when it fills a struct), and one member of the
// wrong kind does not spoil the others.
type object map[string]json.RawMessage

var errNotAnObject = errors.New("not a JSON object")

func parseObject(data []byte) (object, error) {
	var o object
	// The error of encoding/json quotes the input, which may be secret.
	if json.Unmarshal(data, &o) != nil || o == nil {
		return nil, errNotAnObject
	}
	return o, nil
}

// has says whether the member is there and not null.
func (o object) has(name string) bool {
	raw, ok := o[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// text is the member if it is a string, else "".
func (o object) text(name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// texts is the member if it is an array of strings.
func (o object) texts(name string) (list []string, ok bool) {
	if !o.has(name) {
		return nil, true
	}
	return list, json.Unmarshal(o[name], &list) == nil
}

// flag is the member if it is true.
func (o object) flag(name string) bool {
	var b bool
	return json.Unmarshal(o[name], &b) == nil && b
}
