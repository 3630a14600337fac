package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// fileSuffix makes a secret's variable one that names a file instead, as containers are handed secrets.
const fileSuffix = "_FILE"

// maxSecretFile bounds what is read of such a file, in bytes.
const maxSecretFile = 64 << 10

// readFiles sets the secrets of the target whose files the environment names. The mistakes quote neither path nor
// content: somebody may have put the secret itself where its path belongs.
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

// readSecret returns the file's text without the newline that editors put at its end, or what is wrong with it.
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

// cause is the system's reason without the path.
func cause(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return "it fails"
}

// withoutThoseOf leaves mistakes out that only follow from a secret's unreadable file.
func withoutThoseOf(files, mistakes Mistakes) Mistakes {
	var rest Mistakes
	for _, m := range mistakes {
		follows := false
		for _, f := range files {
			follows = follows || m.Variable+fileSuffix == f.Variable
		}
		if !follows {
			rest = append(rest, m)
		}
	}
	return rest
}
