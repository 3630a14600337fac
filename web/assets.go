package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
)

// assets maps the name an asset is served under, "app.<hash>.css", to its embedded file. It serves
// no other name, so whatever it serves may be cached for ever.
type assets map[string]string

// Static returns the style sheet, the script and the icon under the hashed names that
// [Renderer.AssetURL] hands out, and nothing else: no directory listing, no unhashed name. Mount it
// below /static/ with Cache-Control "public, max-age=31536000, immutable".
func Static() fs.FS { return hashAssets() }

// AssetURL returns the path of an asset ("app.css", "app.js" or "icon.svg"). The path changes with
// the content. An unknown name gives an empty string.
func (r *Renderer) AssetURL(name string) string {
	for served, file := range r.assets {
		if path.Base(file) == name {
			return "/static/" + served
		}
	}
	return ""
}

// Open implements [fs.FS].
func (a assets) Open(name string) (fs.File, error) {
	file, ok := a[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return files.Open(file)
}

func hashAssets() assets {
	a := make(assets)
	for _, file := range []string{"static/app.css", "static/app.js", "static/icon.svg"} {
		content, err := files.ReadFile(file)
		if err != nil {
			continue // Cannot happen: the go:embed line names each of these files.
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(file)
		stem := strings.TrimSuffix(path.Base(file), ext)
		a[stem+"."+hex.EncodeToString(sum[:6])+ext] = file
	}
	return a
}
