package session

import (
	"encoding/binary"
	"errors"
	"time"
)

// The sealed content is a version byte and then the record's fields in a fixed
// order, each behind its length. A token is asked for at every call of git and
// kubectl, and JSON's reflection costs such a call a twentieth of its time.
//
// New fields go to the end: a reader takes missing ones as zero and passes
// over those that it does not know.

// fields names every field once, for both directions.
func (r *record) fields(c *coder) {
	c.text(&r.Profile)
	c.text(&r.Issuer)
	c.text(&r.ClientID)
	c.text(&r.Subject)
	c.text(&r.Username)
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
	c.time(&s.LastFailure)
	c.time(&s.NextRetry)
	c.time(&s.High)
	c.time(&s.Seen)
	c.flag(&s.ValidationSkipped)
	c.flag(&s.StaleUserInfo)
	c.text(&r.TokenType)
	c.text(&r.DPoPKey)
	c.text(&r.Nonce)
	c.time(&r.RefreshExpiry)
	c.time(&r.RefreshSince)
	c.text(&r.Asked)
	c.text(&s.Advice)
	c.flag(&r.Access.Instead)
	c.flag(&r.ID.Instead)
}

func (t *heldToken) fields(c *coder) {
	c.text(&t.Value)
	c.time(&t.Obtained)
	c.time(&t.Expiry)
	c.flag(&t.Stale)
}

// coder reads or writes fields.
type coder struct {
	data    []byte
	reading bool
	err     error
}

var errField = errors.New("a field is cut off or of the wrong form")

// next gives the next field; nil at the end.
func (c *coder) next() []byte {
	if c.err != nil || len(c.data) == 0 {
		return nil
	}
	length, n := binary.Uvarint(c.data)
	if n <= 0 || length > uint64(len(c.data)-n) { //nolint:gosec // n bytes were read, so this is no less than 0
		c.err = errField
		return nil
	}
	field := c.data[n : n+int(length)] //nolint:gosec // no longer than the data
	c.data = c.data[n+int(length):]    //nolint:gosec // no longer than the data
	return field
}

func (c *coder) put(field []byte) {
	c.data = append(binary.AppendUvarint(c.data, uint64(len(field))), field...)
}

func (c *coder) bytes(b *[]byte) {
	if !c.reading {
		c.put(*b)
	} else if field := c.next(); len(field) > 0 {
		*b = append([]byte(nil), field...)
	}
}

func (c *coder) text(s *string) {
	if c.reading {
		*s = string(c.next())
	} else {
		c.data = append(binary.AppendUvarint(c.data, uint64(len(*s))), *s...)
	}
}

// time keeps nanoseconds, in UTC; the zero time is an empty field.
func (c *coder) time(t *time.Time) {
	if !c.reading {
		if t.IsZero() {
			c.put(nil)
		} else {
			c.put(binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano()))) //nolint:gosec // and back again
		}
		return
	}
	switch field := c.next(); len(field) {
	case 0:
	case 8:
		*t = time.Unix(0, int64(binary.BigEndian.Uint64(field))).UTC() //nolint:gosec // as it was written
	default:
		c.err = errField
	}
}

func (c *coder) number(n *int) {
	if !c.reading {
		c.put(binary.AppendUvarint(nil, uint64(max(*n, 0))))
		return
	}
	field := c.next()
	if len(field) == 0 {
		return
	}
	value, used := binary.Uvarint(field)
	if used != len(field) || value > 1<<62 {
		c.err = errField
		return
	}
	*n = int(value)
}

func (c *coder) flag(b *bool) {
	if !c.reading {
		if *b {
			c.put([]byte{1})
		} else {
			c.put(nil)
		}
		return
	}
	*b = len(c.next()) > 0
}

// list is a field that has fields.
func (c *coder) list(items *[]string) {
	if !c.reading {
		var inner coder
		for i := range *items {
			inner.text(&(*items)[i])
		}
		c.put(inner.data)
		return
	}
	inner := coder{data: c.next(), reading: true}
	for len(inner.data) > 0 && inner.err == nil {
		var item string
		inner.text(&item)
		*items = append(*items, item)
	}
	if inner.err != nil {
		c.err = inner.err
	}
}
