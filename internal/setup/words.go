package setup

import (
	"slices"
	"strings"
)

// profileIn is what --profile says in a command, "" if nothing does.
func profileIn(words []string) string {
	for i, w := range words[:max(0, len(words)-1)] {
		if w == "--profile" || w == "-p" {
			return words[i+1]
		}
	}
	return ""
}

// offlineIn are the switches of offline mode in a command, which a person has
// put there and which stay.
func offlineIn(words []string) (flags []string) {
	for _, w := range words {
		if offlineSwitch(w) && !slices.Contains(flags, w) {
			flags = append(flags, w)
		}
	}
	return flags
}

func offlineSwitch(word string) bool {
	name, _, _ := strings.Cut(word, "=")
	return name == "--offline" || name == "--no-offline"
}

// sameBut says whether the words are the command, switches of offline mode
// aside, which may stand anywhere in them.
func sameBut(words, command []string) bool {
	return slices.Equal(slices.DeleteFunc(slices.Clone(words), offlineSwitch), command)
}
