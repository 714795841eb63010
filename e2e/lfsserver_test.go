package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

const lfsType = "application/vnd.git-lfs+json"

// serveLFS answers what is a request of git-lfs: the batch API, and the
// transfers that it names, on the same server and with the same check.
func (s *gitServer) serveLFS(w http.ResponseWriter, r *http.Request) bool {
	oid, transfer := strings.CutPrefix(r.URL.Path, "/objects/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/info/lfs/objects/batch"):
		s.lfsBatch(w, r)
	case strings.HasSuffix(r.URL.Path, "/info/lfs/locks/verify"):
		w.Header().Set("Content-Type", lfsType)
		_, _ = io.WriteString(w, `{"ours":[],"theirs":[]}`)
	case transfer && r.Method == http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != oid {
			w.WriteHeader(http.StatusUnprocessableEntity)
			break
		}
		s.set(func(s *gitServer) { s.objects[oid] = data })
	case transfer:
		data, found := s.object(oid)
		if !found {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(data)
	default:
		return false
	}
	return true
}

func (s *gitServer) object(oid string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, found := s.objects[oid]
	return data, found
}

// lfsBatch says where each object is to be sent to or had from.
func (s *gitServer) lfsBatch(w http.ResponseWriter, r *http.Request) {
	type action struct {
		Href string `json:"href"`
	}
	type object struct {
		OID     string            `json:"oid"`
		Size    int64             `json:"size"`
		Actions map[string]action `json:"actions,omitempty"`
	}
	batch := struct {
		Operation string   `json:"operation,omitempty"`
		Transfer  string   `json:"transfer"`
		Objects   []object `json:"objects"`
	}{}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for i, o := range batch.Objects {
		if _, found := s.object(o.OID); found == (batch.Operation == "download") {
			batch.Objects[i].Actions = map[string]action{batch.Operation: {Href: "https://" + s.Host + "/objects/" + o.OID}}
		}
	}
	batch.Operation, batch.Transfer = "", "basic"
	w.Header().Set("Content-Type", lfsType)
	if err := json.NewEncoder(w).Encode(batch); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
