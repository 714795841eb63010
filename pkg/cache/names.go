package cache

import (
	"encoding/hex"
	"strings"
)

// escapeName makes an item's name fit for a file on every system: lower-case
// letters, digits and hyphens stay, all else becomes %xx. Upper-case letters
// too, since some file systems don't tell them from lower-case ones.
func escapeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

func unescapeName(file string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(file); i++ {
		if file[i] != '%' {
			b.WriteByte(file[i])
			continue
		}
		if i+3 > len(file) {
			return "", errorText("bad escape")
		}
		c, err := hex.DecodeString(file[i+1 : i+3])
		if err != nil {
			return "", err
		}
		b.Write(c)
		i += 2
	}
	return b.String(), nil
}
