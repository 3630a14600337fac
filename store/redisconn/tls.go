package redisconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
)

// newTLS leaves the server's name to the client, which knows the host that it dials.
func newTLS() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

// tlsFiles are the options of a URL that name files; all are optional.
type tlsFiles struct{ ca, cert, key string }

// takeFiles removes the options that name files from the query, so that what is left can be checked for mistakes.
func takeFiles(query url.Values) tlsFiles {
	return tlsFiles{ca: take(query, "ca"), cert: take(query, "cert"), key: take(query, "key")}
}

// addTo reads the files into the settings of TLS, which are nil for a URL without it.
func (f tlsFiles) addTo(config *tls.Config) error {
	switch {
	case f == tlsFiles{}:
		return nil
	case config == nil:
		return errors.New("redis URL: ca, cert and key are options of TLS: want rediss://, rediss-sentinel:// or rediss-cluster://")
	case (f.cert == "") != (f.key == ""):
		return errors.New("redis URL: cert and key belong together")
	}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return fmt.Errorf("redis URL: read the file of ca: %w", withoutPath(err))
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return errors.New("redis URL: the file of ca has no certificate in PEM form")
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return fmt.Errorf("redis URL: read the files of cert and key: %w", withoutPath(err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// withoutPath drops the path, which is a part of the URL.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
