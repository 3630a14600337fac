// Package embedded reads what a program embeds for its pages: their texts, and files that browsers may cache for ever.
package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Texts are the texts of one language by their keys.
type Texts map[string]string

// ReadTexts reads texts/LANGUAGE.json of each language.
func ReadTexts(files fs.FS, languages ...string) (map[string]Texts, error) {
	all := make(map[string]Texts)
	for _, lang := range languages {
		raw, err := fs.ReadFile(files, "texts/"+lang+".json")
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		var texts Texts
		if err := json.Unmarshal(raw, &texts); err != nil {
			return nil, fmt.Errorf("parse texts %s: %w", lang, err)
		}
		all[lang] = texts
	}
	return all, nil
}

// T returns the text of a key, formatted with args as [fmt.Sprintf] does. A missing key is an error, so that a page never
// has a gap, and tests find it.
func (t Texts) T(key string, args ...any) (string, error) {
	text, ok := t[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// Assets are files under names with the hash of their content, such as app.<hash>.css. Other names do not exist, so every
// answer may be cached for ever. They are a file system without directories, immutable and safe for concurrent use.
type Assets struct {
	files fs.FS
	paths map[string]string // in files, by the public name
}

// HashAssets returns the files at the paths. The error is that of a file that cannot be read.
func HashAssets(files fs.FS, paths ...string) (Assets, error) {
	a := Assets{files, make(map[string]string)}
	for _, file := range paths {
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return a, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(file)
		a.paths[strings.TrimSuffix(path.Base(file), ext)+"."+hex.EncodeToString(sum[:6])+ext] = file
	}
	return a, nil
}

// URL returns the public path of a file such as app.css below a folder, or "" for an unknown file.
func (a Assets) URL(folder, file string) string {
	for name, at := range a.paths {
		if path.Base(at) == file {
			return folder + "/" + name
		}
	}
	return ""
}

// Open implements [fs.FS].
func (a Assets) Open(name string) (fs.File, error) {
	file, ok := a.paths[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return a.files.Open(file)
}
