package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// kind is a licence by its SPDX name, with a sentence that no other licence has.
type kind struct{ spdx, sentence string }

// kinds are in the order in which they are looked for: those of the BSD licences are part of one another.
var kinds = []kind{
	{"MPL-2.0", "mozilla public license version 2.0"}, // it names the others
	{"AGPL", "gnu affero general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"GPL", "gnu general public license"},
	{"Apache-2.0", "apache license, version 2.0"},
	{"Apache-2.0", "apache license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-3-Clause", "endorse or promote products derived from this software"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms"},
}

// copyleft is true of licences that ask for the source of what they are part of, or of changes to it.
func copyleft(spdx string) bool {
	return strings.Contains(spdx, "GPL") || strings.HasPrefix(spdx, "MPL")
}

// chosen are the licences of modules that offer a choice, or whose file only names others.
var chosen = map[string]string{
	"go.yaml.in/yaml/v3":       "MIT AND Apache-2.0",
	"github.com/oasdiff/yaml3": "MIT AND Apache-2.0",
}

// blanks are line breaks and comment signs, which licence files set differently.
var blanks = regexp.MustCompile(`[\s#=*]+`)

// licenceOf returns the licence that a module's own files state. Its error asks a maintainer to read them.
func licenceOf(m module) (string, error) {
	if spdx, found := chosen[m.path]; found {
		return spdx, nil
	}
	files, err := filepath.Glob(filepath.Join(m.dir, "*"))
	if err != nil {
		return "", err
	}
	for _, name := range files {
		base := strings.ToUpper(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)))
		if !slices.Contains([]string{"LICENSE", "LICENCE", "COPYING"}, base) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a folder of that name
		}
		plain := blanks.ReplaceAllString(strings.ToLower(string(text)), " ")
		for _, k := range kinds {
			if strings.Contains(plain, k.sentence) {
				return k.spdx, nil
			}
		}
	}
	return "", fmt.Errorf("%s %s: unknown licence: read %s, and add the licence to internal/licences/licence.go", m.path, m.version, m.dir)
}
