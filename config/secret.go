package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// masked is the printed form of every secret that is set.
const masked = "******"

// Secret is a setting that every formatter and encoder prints masked. The zero value means that it is not set.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// Format writes the mask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText makes every encoding show the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue makes slog show the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// fileSuffix, added to a secret's variable, makes it name a file with the secret, as container platforms provide them.
const fileSuffix = "_FILE"

// maxSecretFile is the largest size of such a file in bytes.
const maxSecretFile = 64 << 10

// readFiles sets the secrets of the target whose files the environment names. The mistakes quote neither path nor content:
// an operator may have written the secret itself instead of its path.
func readFiles(set map[string]string, target any) Mistakes {
	var mistakes Mistakes
	for _, v := range Table(target) {
		path, named := set[v.Name+fileSuffix]
		if !v.Secret || !named {
			continue
		}
		if _, both := set[v.Name]; both {
			mistakes = append(mistakes, Mistake{v.Name + fileSuffix, "want either this or " + v.Name + ", not both"})
			continue
		}
		text, problem := readSecret(path)
		if problem != "" {
			mistakes = append(mistakes, Mistake{v.Name + fileSuffix, problem})
			continue
		}
		set[v.Name] = text
	}
	return mistakes
}

// readSecret returns the file's text without the newline that editors add at its end, or what is wrong with the file.
func readSecret(path string) (text, problem string) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "want a file that can be read: " + cause(err)
	}
	if !info.Mode().IsRegular() { // reading a pipe might wait for ever
		return "", "want a regular file"
	}
	file, err := os.Open(path)
	if err != nil {
		return "", "want a file that can be read: " + cause(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return "", "want a file that can be read: " + cause(err)
	case len(content) > maxSecretFile:
		return "", "want a file of at most 64 KiB"
	}
	if text = strings.TrimRight(strings.TrimPrefix(string(content), "\ufeff"), "\r\n"); text == "" {
		return "", "the file is empty"
	}
	return text, ""
}

// cause is the operating system's error without the path.
func cause(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return "it fails"
}

// withoutThoseOf drops mistakes that only follow from a secret's unreadable file.
func withoutThoseOf(files, mistakes Mistakes) Mistakes {
	return slices.DeleteFunc(mistakes, func(m Mistake) bool {
		return slices.ContainsFunc(files, func(f Mistake) bool { return m.Variable+fileSuffix == f.Variable })
	})
}
