// Command tokens is a service that learns from Usher's tokens who is signed in; see docs/tokens.md. backend.mjs and backend.py
// are the same for Node and Python.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// backend answers GET / with the account that is signed in.
type backend struct {
	issuer   string // USHER_PUBLIC_URL
	audience string // this service's name in USHER_TOKEN_AUDIENCES
	keys     keys

	mu     sync.Mutex
	newest map[string]int // highest gen by sub; keep it in your table of users
}

func main() {
	listener, err := net.Listen("tcp", os.Getenv("LISTEN")) // such as 127.0.0.1:9000
	if err != nil {
		log.Fatal(err)
	}
	issuer := os.Getenv("ISSUER")
	b := &backend{
		issuer: issuer, audience: os.Getenv("AUDIENCE"), newest: map[string]int{},
		keys: keys{url: issuer + "/.well-known/jwks.json", client: &http.Client{Timeout: 5 * time.Second}},
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal((&http.Server{Handler: b, ReadTimeout: 10 * time.Second}).Serve(listener))
}

// ServeHTTP answers 401 without a valid token. Errors may quote the token, so they are not logged.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	account, err := b.signedIn(token)
	if !strings.EqualFold(scheme, "Bearer") || err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "sign in"})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"account": account})
}

// signedIn returns the id of the account.
func (b *backend) signedIn(text string) (string, error) {
	if len(text) > 4096 {
		return "", errors.New("not a token of ours")
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "usher-session+jwt" {
		return "", errors.New("token of another type")
	}
	key, err := b.keys.find(header.KeyID)
	if err != nil {
		return "", err
	}
	var claims struct {
		jwt.Claims

		Generation int `json:"gen"`
	}
	if err := token.Claims(key, &claims); err != nil {
		return "", err
	}
	if claims.Expiry == nil || claims.Subject == "" {
		return "", errors.New("token lacks a claim")
	}
	expected := jwt.Expected{Issuer: b.issuer, AnyAudience: jwt.Audience{b.audience}, Time: time.Now()}
	if err := claims.ValidateWithLeeway(expected, 0); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if claims.Generation < b.newest[claims.Subject] {
		return "", errors.New("the password was changed since")
	}
	b.newest[claims.Subject] = claims.Generation
	return claims.Subject, nil
}

// keys keeps the public keys for five minutes. A token with an unknown kid loads them again, at most every half minute.
type keys struct {
	url    string
	client *http.Client

	mu     sync.Mutex
	set    jose.JSONWebKeySet
	loaded time.Time
}

func (k *keys) find(kid string) (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.loaded)
	if found := k.set.Key(kid); age >= 5*time.Minute || len(found) == 0 && age >= 30*time.Second {
		if err := k.load(); err != nil && len(found) == 0 {
			return jose.JSONWebKey{}, err
		}
	}
	if found := k.set.Key(kid); len(found) > 0 {
		return found[0], nil
	}
	return jose.JSONWebKey{}, errors.New("unknown key")
}

func (k *keys) load() error {
	k.loaded = time.Now() // also after a failure: the keys at hand serve on
	response, err := k.client.Get(k.url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("keys: %s", response.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&set); err != nil {
		return err
	}
	k.set = set
	return nil
}
