package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxOwnBody bounds what the sandbox's own API reads.
const maxOwnBody = 16 << 10

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.Messages(r.URL.Query().Get("to")))
}

// showRaw serves a mail byte for byte as it came, for any other reader of mails to judge.
func (s *Server) showRaw(w http.ResponseWriter, r *http.Request) {
	mail, ok := s.mailbox.find(r.PathValue("id"))
	if !ok || mail.raw == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", `attachment; filename="`+mail.ID+`.eml"`)
	_, _ = w.Write(mail.raw)
}

func (s *Server) clearMessages(w http.ResponseWriter, _ *http.Request) {
	s.Clear()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) showCredentials(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Credentials())
}

func (s *Server) showSMTPCA(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.certificate)
}

func (s *Server) showFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Faults())
}

// putFaults replaces all faults: a vendor that the body leaves out has none afterwards.
func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	faults, err := readFaults(http.MaxBytesReader(w, r.Body, maxOwnBody))
	if err == nil {
		err = s.SetFaults(faults)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s.Faults())
}

func readFaults(body io.Reader) (Faults, error) {
	var faults Faults
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		return Faults{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Faults{}, errors.New("one JSON object is expected")
	}
	return faults, nil
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}
