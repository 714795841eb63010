package session

// RefreshTokenIn gives the refresh token in a sealed content, for tests.
func RefreshTokenIn(content []byte) (string, error) {
	r, err := decodeRecord(content)
	if err != nil {
		return "", err
	}
	return r.Refresh, nil
}
