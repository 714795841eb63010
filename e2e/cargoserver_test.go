package e2e

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// cargoServer is a small private registry: a sparse index, downloads, publish
// and an empty search (The Cargo Book, "Running a Registry").
type cargoServer struct {
	*gate
	mu     sync.Mutex
	index  map[string]string // by path: lines of JSON
	crates map[string][]byte // by "name/version"
}

func newCargoServer(t *testing.T, p *harness.Provider, secure bool) *cargoServer {
	t.Helper()
	s := &cargoServer{index: map[string]string{}, crates: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /index/config.json", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{"dl": s.URL + "/crates", "api": s.URL, "auth-required": true})
	})
	mux.HandleFunc("GET /index/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, []byte(s.line(strings.TrimPrefix(r.URL.Path, "/index/"))))
	})
	mux.HandleFunc("GET /crates/{name}/{version}/download", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, s.crate(r.PathValue("name")+"/"+r.PathValue("version")))
	})
	mux.HandleFunc("GET /api/v1/crates", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{"crates": []any{}, "meta": map[string]int{"total": 0}})
	})
	mux.HandleFunc("PUT /api/v1/crates/new", s.publish)
	s.gate = newGate(t, p, secure, mux)
	return s
}

func (s *cargoServer) Index() string { return "sparse+" + s.URL + "/index/" }

func (s *cargoServer) line(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index[path]
}

func (s *cargoServer) crate(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crates[name]
}

func (s *cargoServer) serve(w http.ResponseWriter, data []byte) {
	if len(data) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(data)
}

// publish takes a length, JSON, a length and the crate.
func (s *cargoServer) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	part := func() []byte {
		if len(body) < 4 || uint64(binary.LittleEndian.Uint32(body)) > uint64(len(body)-4) {
			return nil
		}
		n := binary.LittleEndian.Uint32(body)
		data := body[4 : 4+n]
		body = body[4+n:]
		return data
	}
	var meta struct {
		Name string `json:"name"`
		Vers string `json:"vers"`
	}
	head, crate := part(), []byte(nil)
	if err == nil {
		err = json.Unmarshal(head, &meta)
		crate = part()
	}
	if err != nil || len(meta.Name) < 4 || len(crate) == 0 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(crate)
	line, err := json.Marshal(map[string]any{
		"name": meta.Name, "vers": meta.Vers, "deps": []any{}, "features": map[string]any{},
		"cksum": hex.EncodeToString(sum[:]), "yanked": false,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index[meta.Name[:2]+"/"+meta.Name[2:4]+"/"+meta.Name] += string(line) + "\n"
	s.crates[meta.Name+"/"+meta.Vers] = crate
	answerJSON(w, map[string]any{"warnings": map[string]any{"invalid_categories": []any{}, "invalid_badges": []any{}, "other": []any{}}})
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
