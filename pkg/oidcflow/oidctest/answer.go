package oidctest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what the provider reads.
const maxBody = 1 << 20

// beforeReset lets the client read the start of an answer before the
// connection is reset: a reset discards what the client has not read yet.
const beforeReset = 30 * time.Millisecond

// endpoint is an endpoint with its count and its faults.
func (p *Provider) endpoint(e Endpoint, work http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		parsed := r.ParseForm() // reads the body, so that a client that leaves is noticed
		p.arrive(e, r)
		fault, released := p.nextFault(e)
		if fault.Wait > 0 && p.wait(r.Context(), fault.Wait) != nil {
			panic(http.ErrAbortHandler)
		}
		if parsed != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		p.answer(w, r, fault, released, work)
	})
}

func (p *Provider) answer(w http.ResponseWriter, r *http.Request, f Fault, released <-chan struct{}, work http.HandlerFunc) {
	if f.Kind == FaultNone {
		work(w, r)
		return
	}
	code, body := f.Code, []byte(f.Body)
	if f.CarryOut {
		done := &recorder{header: http.Header{}, code: http.StatusOK}
		work(done, r)
		if f.Kind != FaultAnswer {
			code, body = done.code, done.body.Bytes()
		}
	}
	switch f.Kind {
	case FaultHold:
		if p.hold(r.Context(), nil, released) != nil {
			panic(http.ErrAbortHandler)
		}
		if f.CarryOut {
			send(w, code, nil, body, len(body))
			return
		}
		work(w, r)
	case FaultStall:
		sendHalf(w, code, f.Headers, body)
		_ = p.hold(r.Context(), nil, released)
		panic(http.ErrAbortHandler)
	case FaultCutOff:
		sendHalf(w, code, f.Headers, body)
		panic(http.ErrAbortHandler)
	case FaultResetMid:
		sendHalf(w, code, f.Headers, body)
		_ = p.wait(r.Context(), beforeReset)
		reset(w)
	case FaultReset:
		reset(w)
	case FaultHalf:
		half := body[:len(body)/2]
		send(w, code, f.Headers, half, len(half))
	case FaultOversize:
		big := oversize(body, f.Size)
		send(w, code, f.Headers, big, len(big))
	default:
		send(w, code, f.Headers, body, len(body))
	}
}

// send writes an answer that says it has so many bytes.
func send(w http.ResponseWriter, code int, headers map[string]string, body []byte, length int) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if code != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func sendHalf(w http.ResponseWriter, code int, headers map[string]string, body []byte) {
	send(w, code, headers, body[:len(body)/2], len(body))
	_ = http.NewResponseController(w).Flush()
}

// oversize adds a member to the object, so that it is valid and too long.
func oversize(body []byte, size int) []byte {
	const start, end = `,"padding":"`, `"}`
	head := bytes.TrimSuffix(bytes.TrimSpace(body), []byte("}"))
	filler := max(size-len(head)-len(start)-len(end), 0)
	return []byte(string(head) + start + strings.Repeat("x", filler) + end)
}

// reset closes the connection with RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for inner := conn; inner != nil; {
		if tcp, ok := inner.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close() // not conn: a TLS connection would say goodbye first
			return
		}
		wrapped, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapped.NetConn()
	}
	_ = conn.Close()
}

// recorder keeps an answer that is not sent.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

var _ io.Writer = (*recorder)(nil)

func writeJSON(w http.ResponseWriter, code int, answer any) {
	body := encode(answer)
	send(w, code, nil, body, len(body))
}

// oauthError answers an error object, RFC 6749 §5.2.
func oauthError(w http.ResponseWriter, code int, name, description string) {
	writeJSON(w, code, map[string]any{"error": name, "error_description": description})
}

// encode panics on what JSON can't hold, which is a mistake in the test.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
