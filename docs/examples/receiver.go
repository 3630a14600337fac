// Command receiver takes codes from Usher's signed HTTP sender and passes them on to an SMS vendor. docs/http-sender.md explains
// it; receiver.py is the same in Python.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// receiver answers POST /send. Sent ids belong in your database, so that a restart does not forget them.
type receiver struct {
	secret    []byte
	reportURL string   // Usher's /v1/reports/http; empty: no reports
	sent      sync.Map // webhook-id → true
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("USHER_HTTP_SECRET"), "whsec_"))
	if err != nil || len(secret) < 16 {
		log.Fatal("USHER_HTTP_SECRET: want whsec_ and base64")
	}
	listener, err := net.Listen("tcp", os.Getenv("LISTEN")) // such as 127.0.0.1:9000
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	r := &receiver{secret: secret, reportURL: os.Getenv("REPORT_URL")}
	server := &http.Server{Handler: http.HandlerFunc(r.serve), ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

// callVendor is where your SMS vendor is called. It returns the vendor's id of the message.
func callVendor(to, code, purpose, locale string) (string, error) {
	if to == "+8613800000000" {
		return "", errors.New("the vendor is busy")
	}
	fmt.Printf("%s gets %s for %s in %s\n", to, code, purpose, locale)
	return "vendor-" + rand.Text(), nil
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 16<<10))
	if err != nil || !r.authentic(req.Header, body) {
		answer(w, http.StatusUnauthorized, map[string]any{"kind": "misconfigured"})
		return
	}
	var message struct{ To, Code, Purpose, Locale string }
	if json.Unmarshal(body, &message) != nil || !strings.HasPrefix(message.To, "+") || message.Code == "" {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"kind": "rejected"}) // so does Usher's check without a message
		return
	}
	id := req.Header.Get("webhook-id")
	if _, repeated := r.sent.LoadOrStore(id, true); repeated {
		answer(w, http.StatusOK, map[string]any{}) // sent already
		return
	}
	vendorID, err := callVendor(message.To, message.Code, message.Purpose, message.Locale)
	if err != nil { // certainly not sent: another attempt may follow
		r.sent.Delete(id)
		answer(w, http.StatusServiceUnavailable, map[string]any{"kind": "temporary", "retry_after": 5})
		return
	}
	answer(w, http.StatusOK, map[string]any{"provider_id": vendorID})
	if r.reportURL != "" {
		go r.report(map[string]any{"id": id, "state": "delivered", "provider_id": vendorID, "at": time.Now().UTC().Format(time.RFC3339)})
	}
}

// report tells Usher what the carrier says. Every try has the same id, so that Usher takes it once.
func (r *receiver) report(report map[string]any) {
	id := "report_" + rand.Text()
	for _, wait := range []time.Duration{0, time.Second, time.Minute, 10 * time.Minute} {
		time.Sleep(wait)
		body, _ := json.Marshal(report)
		req, err := http.NewRequest(http.MethodPost, r.reportURL, bytes.NewReader(body))
		if err != nil {
			log.Fatal("REPORT_URL: ", err)
		}
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", timestamp)
		req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(r.sign(id, timestamp, body)))
		response, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode/100 == 2 {
			return
		}
	}
}

// authentic checks the signature and that the request is not older than five minutes.
func (r *receiver) authentic(header http.Header, body []byte) bool {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	for given := range strings.FieldsSeq(header.Get("webhook-signature")) { // two while the secret is rotated
		signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(given, "v1,"))
		if err == nil && hmac.Equal(signature, r.sign(id, timestamp, body)) {
			return true
		}
	}
	return false
}

func (r *receiver) sign(id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, r.secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

func answer(w http.ResponseWriter, status int, fields map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(fields)
}
