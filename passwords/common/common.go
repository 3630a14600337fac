// Package common has the passwords that guessing programs try first. The server refuses them, and the pages say so while a person
// types: both have this list.
package common

import (
	"embed"
	"strings"
	"sync"
)

// Files has the list, File: a password in its case-folded form on each line.
//
//go:embed passwords.txt
var Files embed.FS

// File is the name of the list in Files.
const File = "passwords.txt"

var list = sync.OnceValue(func() map[string]bool {
	text, err := Files.ReadFile(File)
	if err != nil {
		panic(err) // it is embedded
	}
	set := map[string]bool{}
	for password := range strings.FieldsSeq(string(text)) {
		set[password] = true
	}
	return set
})

// Has reports whether a case-folded password is one of the thousand or so of the list.
func Has(folded string) bool { return list()[folded] }
