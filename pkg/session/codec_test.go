package session

import (
	"reflect"
	"testing"
	"time"
)

// fill sets every field below v to something that is not zero.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_800_000_000, int64(*n)).UTC()))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case v.Kind() == reflect.String:
		v.SetString(string(rune('a'+*n%26)) + "-text")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Int:
		v.SetInt(int64(*n))
	case v.Type().Elem().Kind() == reflect.Uint8:
		v.SetBytes([]byte(`{"sub":"x"}`))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf([]string{"openid", "", "email"}))
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// TestEveryFieldIsKept fails when a field is added to the record or to the
// offline state and not to the codec.
func TestEveryFieldIsKept(t *testing.T) {
	var full record
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	full.Version = recordVersion
	sealed, _, err := full.encode("memory")
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeRecord(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*back, full) {
		t.Errorf("read back as\n%+v, expected\n%+v", *back, full)
	}
}

func TestFieldsOfOtherVersions(t *testing.T) {
	full := record{Version: recordVersion, Profile: "work", Refresh: "r"}
	sealed, _, err := full.encode("memory")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeRecord(append(sealed, 3, 'n', 'e', 'w')); err != nil {
		t.Errorf("a field more: %v", err)
	}
	short, err := decodeRecord(sealed[:1+5])
	if err != nil || short.Profile != "work" || short.Refresh != "" {
		t.Errorf("fields less: %+v, %v", short, err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "newer": {recordVersion + 1}, "JSON": []byte(`{"v":1}`), "cut off": sealed[:3], "length": {recordVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if _, err := decodeRecord(data); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// formerFields is the field list as it was before there were sessions without
// a person.
func formerFields(r *record, c *coder) {
	for _, s := range []*string{&r.Profile, &r.Issuer, &r.ClientID, &r.Subject, &r.Username} {
		c.text(s)
	}
	c.time(&r.LoginAt)
	r.Access.fields(c)
	r.ID.fields(c)
	c.text(&r.Refresh)
	c.list(&r.Scopes)
	c.flag(&r.IDNotRenewed)
	c.bytes((*[]byte)(&r.UserInfo))
	s := &r.State
	c.time(&s.LastSync)
	c.time(&s.Since)
	c.number(&s.Failures)
	c.text((*string)(&s.Reason))
	c.text((*string)(&s.Category))
	c.text(&s.LastError)
	for _, t := range []*time.Time{&s.LastFailure, &s.NextRetry, &s.High, &s.Seen} {
		c.time(t)
	}
	c.flag(&s.ValidationSkipped)
	c.flag(&s.StaleUserInfo)
}

// TestFormerRecords: a session of the former version goes on in this one, and
// the other way round.
func TestFormerRecords(t *testing.T) {
	var full record
	n := 0
	fill(t, reflect.ValueOf(&full).Elem(), &n)
	full.Version = recordVersion
	c := coder{data: []byte{recordVersion}}
	formerFields(&full, &c)
	back, err := decodeRecord(c.data)
	if err != nil {
		t.Fatal(err)
	}
	want := full
	want.TokenType, want.DPoPKey, want.Nonce = "", "", ""
	want.RefreshExpiry, want.RefreshSince, want.Asked, want.State.Advice = time.Time{}, time.Time{}, "", ""
	want.Access.Instead, want.ID.Instead = false, false
	if !reflect.DeepEqual(*back, want) {
		t.Errorf("read as\n%+v, expected\n%+v", *back, want)
	}
	if back.bound() {
		t.Error("it is bound to a key")
	}
	sealed, _, err := full.encode("memory")
	if err != nil {
		t.Fatal(err)
	}
	former := record{Version: recordVersion}
	c = coder{data: sealed[1:], reading: true}
	if formerFields(&former, &c); c.err != nil || former.Refresh != full.Refresh || former.State != want.State {
		t.Errorf("the former version reads %+v, %v", former, c.err)
	}
}
