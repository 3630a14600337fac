package reasons_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"usher/reasons"
)

// sources calls look with every Go file of the module that is no test.
func sources(t *testing.T, look func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			look(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every word that the code can use is in the list: constants of the type, and codes of our own.
func TestList_has_every_word_of_the_code(t *testing.T) {
	t.Parallel()
	words, own := 0, 0
	want := func(path, word string) {
		if _, known := reasons.Of(word); !known {
			t.Errorf("%s: %q is not in the list", path, word)
		}
	}
	sources(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.ValueSpec:
				if typeName(n.Type) == "Word" {
					for _, value := range n.Values {
						if text, ok := literal(value); ok {
							words++
							want(path, text)
						}
					}
				}
			case *ast.BasicLit:
				if text, ok := literal(n); ok && regexp.MustCompile(`^own_[a-z_]+$`).MatchString(text) {
					own++
					want(path, text)
				}
			case *ast.CallExpr: // reasons.Word("literal")
				if typeName(n.Fun) == "Word" && len(n.Args) == 1 {
					if text, ok := literal(n.Args[0]); ok {
						want(path, text)
					}
				}
			}
			return true
		})
	})
	if words < 50 || own < 3 {
		t.Errorf("only %d words and %d codes found: the test looks at the wrong things", words, own)
	}
}

func typeName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func literal(expr ast.Expr) (string, bool) {
	lit, ok := expr.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// What the scripts and the statements write as a reason is in the list too.
func TestList_has_the_reasons_of_scripts_and_statements(t *testing.T) {
	t.Parallel()
	found := 0
	written := regexp.MustCompile(`(?:reason = '|'dropped', 'reason', '|Reason: "|reason: ")([a-z_]+)['"]`)
	for _, pattern := range []string{"../store/redisstore/scripts/*.lua", "../store/sqlstore/*.go", "../store/redisstore/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range written.FindAllStringSubmatch(string(text), -1) {
				found++
				if _, known := reasons.Of(match[1]); !known {
					t.Errorf("%s: %q is not in the list", file, match[1])
				}
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d reasons found: the test looks at the wrong things", found)
	}
}

func TestList_says_what_to_do(t *testing.T) {
	t.Parallel()
	seen := map[reasons.Word]bool{}
	for _, r := range reasons.All() {
		if seen[r.Word] {
			t.Errorf("%s is there twice", r.Word)
		}
		seen[r.Word] = true
		if !regexp.MustCompile(`^[a-z][a-z_]*$`).MatchString(string(r.Word)) || !strings.HasSuffix(r.Means, ".") || !strings.HasSuffix(r.Do, ".") {
			t.Errorf("%+v: want a word, a sentence and what to do", r)
		}
	}
	if r, ok := reasons.Of("own_breaker_open"); !ok || r.Word != reasons.BreakerOpen {
		t.Errorf("own_breaker_open is %v, %v", r, ok)
	}
	if _, ok := reasons.Of("isv.BUSINESS_LIMIT_CONTROL"); ok {
		t.Error("a vendor's code is taken for ours")
	}
}
