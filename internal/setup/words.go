package setup

import "slices"

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
	for _, flag := range []string{"--offline", "--no-offline"} {
		if slices.Contains(words, flag) {
			flags = append(flags, flag)
		}
	}
	return flags
}
