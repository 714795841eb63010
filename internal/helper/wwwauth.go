package helper

import "strings"

// offers says whether one of the WWW-Authenticate headers has a challenge of
// the scheme.
func offers(headers []string, scheme string) bool {
	for _, header := range headers {
		for len(header) > 0 {
			var element string
			element, header = nextElement(header)
			if strings.EqualFold(challengeScheme(element), scheme) {
				return true
			}
		}
	}
	return false
}

// nextElement cuts a list at its first comma that is not within quotes, RFC
// 9110 §5.6.1 and §5.6.4.
func nextElement(list string) (element, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++ // whatever follows belongs to the quoted string
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// challengeScheme is the scheme that a list's element begins a challenge of;
// "" for a further parameter (name=value) of the one before it, RFC 9110
// §11.6.1.
func challengeScheme(element string) string {
	element = strings.Trim(element, " \t")
	end := strings.IndexAny(element, " \t=")
	if end < 0 {
		return element
	}
	if strings.HasPrefix(strings.TrimLeft(element[end:], " \t"), "=") {
		return ""
	}
	return element[:end]
}
