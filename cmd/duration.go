package cmd

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("expected a duration such as 30s, 10m, 8h or 7d")

// parseDuration reads a Go duration that may start with days: "7d", "1d12h",
// "90s". Negative ones are refused: nothing here lasts less than no time.
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	var days time.Duration
	if number, rest, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n < 0 || math.IsNaN(n) || n > 36500 {
			return 0, errDuration
		}
		days = time.Duration(n * float64(24*time.Hour))
		if s = rest; s == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return 0, errDuration
	}
	return days + d, nil
}

// parsePercent reads "20%" as 0.2.
func parsePercent(s string) (float64, error) {
	number, found := strings.CutSuffix(strings.TrimSpace(s), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !found || err != nil || math.IsNaN(n) || n < 0 || n > 100 {
		return 0, errors.New("expected a percentage from 0% to 100%")
	}
	return n / 100, nil
}
