package oidcflow

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// checkACR is point 12 of OpenID Connect Core §3.1.3.7: how the person was
// authenticated, where the sign-in asked for it as essential (§5.5.1.1).
func (c *Client) checkACR(o object) error {
	claims, ok := c.AuthParams["claims"]
	if !ok {
		return nil
	}
	wanted, err := essentialACR(claims)
	if err != nil {
		return fmt.Errorf("auth_params: claims: %w", err)
	}
	switch acr := o.text("acr"); {
	case len(wanted) == 0, slices.Contains(wanted, acr):
		return nil
	case !o.has("acr"):
		return &IDTokenError{"acr", "it does not say how the person was authenticated (acr), which the sign-in asked for as essential"}
	default:
		return &IDTokenError{"acr", fmt.Sprintf("the person was authenticated with acr %q, which is none that the sign-in asked for as essential", Clean(acr))}
	}
}

// ago is a time for a person: in days once it is many hours.
func ago(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}

// checkAuthTime is point 13 of OpenID Connect Core §3.1.3.7: when the person
// was authenticated, where the sign-in asked for a recent authentication (§2
// "auth_time").
//
// asked is when the sign-in began: a person may take some time between the
// password and the end of the sign-in.
func (c *Client) checkAuthTime(o object, asked time.Time) error {
	text, ok := c.AuthParams["max_age"]
	if !ok {
		return nil
	}
	maxAge, err := parseMaxAge(text)
	if err != nil {
		return fmt.Errorf("auth_params: max_age: %w", err)
	}
	var seconds float64
	switch {
	case !o.has("auth_time"):
		return &IDTokenError{"auth_time", "it does not say when the person was authenticated (auth_time), which max_age asks for"}
	case json.Unmarshal(o["auth_time"], &seconds) != nil, math.Abs(seconds) > math.MaxInt32*1000:
		return &IDTokenError{"format", "its claims can't be read"}
	}
	age := asked.Sub(time.Unix(int64(seconds), 0))
	if age > maxAge+expiryLeeway {
		return &IDTokenError{"auth_time", fmt.Sprintf("the person was authenticated %s before this sign-in, which is longer ago than max_age allows", ago(age))}
	}
	return nil
}
