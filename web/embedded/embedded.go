// Package embedded reads what a program embeds for its pages: their texts, and files that browsers may cache for ever.
package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"
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
type Assets map[string]asset // by the public name

type asset struct {
	file    string // its name without the hash
	content []byte
}

// Comments and indentation of a script are for its maintainers: browsers need not load them. No script has a text of several lines.
var (
	comments    = regexp.MustCompile(`(?m)^\s*//.*\n|(?s:^\s*/\*\*.*?\*/\n)`)
	indentation = regexp.MustCompile(`(?m)^\s+`)
)

// HashAssets returns the files at the paths, scripts without lines of comments and indentation. Where a script imports an earlier one of
// the paths from './name', it gets the name with the hash. The error is that of a file that cannot be read.
func HashAssets(files fs.FS, paths ...string) (Assets, error) {
	assets := make(Assets)
	for _, file := range paths {
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		if path.Ext(file) == ".js" {
			content = indentation.ReplaceAll(comments.ReplaceAll(content, nil), nil)
			for name, imported := range assets {
				content = bytes.ReplaceAll(content, []byte("'./"+imported.file+"'"), []byte("'./"+name+"'"))
			}
		}
		assets.Add(path.Base(file), content)
	}
	return assets, nil
}

// Add adds a file by its name, such as logo.svg. It is called before the files are served.
func (a Assets) Add(file string, content []byte) {
	ext := path.Ext(file)
	sum := sha256.Sum256(content)
	a[strings.TrimSuffix(file, ext)+"."+hex.EncodeToString(sum[:6])+ext] = asset{file, content}
}

// URL returns the public path of a file such as app.css below a folder, or "" for an unknown file.
func (a Assets) URL(folder, file string) string {
	for name, asset := range a {
		if asset.file == file {
			return folder + "/" + name
		}
	}
	return ""
}

// Files are the contents by their public names.
func (a Assets) Files() map[string][]byte {
	files := make(map[string][]byte, len(a))
	for name, asset := range a {
		files[name] = asset.content
	}
	return files
}

// Open implements [fs.FS].
func (a Assets) Open(name string) (fs.File, error) {
	asset, ok := a[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return opened{bytes.NewReader(asset.content), asset.file}, nil
}

// opened is an asset that is being read. It has no time: its name changes with its content.
type opened struct {
	*bytes.Reader

	file string
}

func (o opened) Stat() (fs.FileInfo, error) { return o, nil }
func (opened) Close() error                 { return nil }

// Name and the other methods implement [fs.FileInfo].
func (o opened) Name() string     { return o.file }
func (opened) Mode() fs.FileMode  { return 0o444 }
func (opened) ModTime() time.Time { return time.Time{} }
func (opened) IsDir() bool        { return false }
func (opened) Sys() any           { return nil }
