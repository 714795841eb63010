package session

import "encoding/json"

// takeUserInfo keeps the user's claims, OpenID Connect Core §5.3.2.
func (r *record) takeUserInfo(claims []byte) {
	r.UserInfo = claims
	if name := usernameIn(claims); name != "" {
		r.Username = name
	}
}

// usernameIn picks the claim that a person knows the account by, from claims
// of OpenID Connect Core §5.1.
func usernameIn(claims []byte) string {
	var c struct {
		PreferredUsername any `json:"preferred_username"`
		Email             any `json:"email"`
		Name              any `json:"name"`
	}
	if json.Unmarshal(claims, &c) != nil {
		return ""
	}
	for _, claim := range []any{c.PreferredUsername, c.Email, c.Name} {
		if text, ok := claim.(string); ok && text != "" {
			return text
		}
	}
	return ""
}
