package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func TestPage_is_up_to_date(t *testing.T) {
	t.Parallel()
	// Read here so that the test's result is not taken from the cache when it changes.
	if _, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	modules, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	want, err := write(modules)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, target))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s differs: run go generate ./...\n%s", target, diff)
	}
}

func TestShipped_modules_have_no_copyleft_licence(t *testing.T) {
	t.Parallel()
	modules, err := list(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		spdx, err := licenceOf(m)
		if err != nil {
			t.Error(err)
		}
		if m.ships && copyleft(spdx) {
			t.Errorf("%s ships with the copyleft licence %s", m.path, spdx)
		}
	}
}

func Test_licenceOf_reads_what_a_module_says(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"MIT License\n\nPermission is hereby granted,\n free of charge, to any person obtaining a copy":                                          "MIT",
		"Redistribution and use in source and binary forms … Neither the name … used to endorse or promote products derived from\nthis software": "BSD-3-Clause",
		"Redistribution and use in source and binary forms":                                                                                      "BSD-2-Clause",
		"   Apache License\n   Version 2.0, January 2004":                                                                                        "Apache-2.0",
		"Mozilla Public License Version 2.0\n======\nthe GNU General Public License":                                                             "MPL-2.0",
		"GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3":                                                                                           "AGPL",
		"GNU GENERAL PUBLIC LICENSE\nVersion 2":                                                                                                  "GPL",
		"all rights reserved":                                                                                                                    "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "LICENSE.md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := licenceOf(module{path: "example.org/x", dir: dir})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("got %q, %v for %q, want %q", got, err, text, want)
		}
	}
}

func Test_write_wants_a_reason_for_each_direct_module(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("mozilla public license version 2.0"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := write([]module{{path: "example.org/new", dir: dir, direct: true}})
	if err == nil || !strings.Contains(err.Error(), "example.org/new is new") {
		t.Errorf("write = %v", err)
	}
}
