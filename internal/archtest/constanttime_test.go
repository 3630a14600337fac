package archtest_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// comparers are all functions that hold something secret against what a stranger has sent. No test can tell by
// the clock that they take the same time wherever the two first differ, so it is their source that is looked at.
// What the list cannot know is a secret that is compared in a function it does not name. The sandbox has none:
// it publishes its keys.
var comparers = map[string]string{
	"passwords/django.go parseArgon2":     "hashes of passwords, imported",
	"passwords/django.go parsePBKDF2":     "hashes of passwords, imported",
	"apps/keys.go matches":                "keys of apps, by their hashes",
	"api/reports.go isReportSecret":       "the secret of the path that vendors push to",
	"app/ops.go authenticate":             "the token of the operations port",
	"captcha/captcha.go Match":            "answers of captchas",
	"captcha/pow/pow.go equal":            "signatures of proofs of work",
	"secrets/apitoken.go IsSessionToken":  "tokens of bearer sessions",
	"secrets/token.go ParseToken":         "signatures of activation links",
	"verify/resend.go Resendable":         "codes that would have another form now, by their MACs",
	"verify/service.go isOf":              "keyed hashes of numbers and addresses",
	"verify/service.go try":               "codes, by their MACs",
	"docs/examples/receiver.go authentic": "signatures of codes",
	"webhooks/webhooks.go match":          "signatures of delivery reports",
}

func TestSecrets_are_compared_in_constant_time(t *testing.T) {
	t.Parallel()
	found, replaced := map[string]bool{}, overlay(t)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name != root && (entry.Name() == "sandbox" || entry.Name()[0] == '.') {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		read := name
		if full, err := filepath.Abs(name); err == nil && replaced[full] != "" {
			read = replaced[full]
		}
		file, err := parser.ParseFile(token.NewFileSet(), read, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil //nolint:nilerr // for the compiler to say
		}
		path, _ := filepath.Rel(root, name)
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Body != nil {
				look(t, filepath.ToSlash(path)+" "+f.Name.Name, f.Body, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(comparers)) {
		if !found[name] {
			t.Errorf("%s does not compare in constant time: %s", name, comparers[name])
		}
	}
}

// overlay returns the files that stand for others of the source. The go command applies its -overlay option, which
// internal/mutants sets in GOFLAGS, to what it compiles, and this test reads the source itself.
func overlay(t *testing.T) map[string]string {
	t.Helper()
	var overlay struct{ Replace map[string]string }
	for flag := range strings.FieldsSeq(os.Getenv("GOFLAGS")) {
		name, found := strings.CutPrefix(flag, "-overlay=")
		if !found {
			continue
		}
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &overlay)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return overlay.Replace
}

// look notes a function that compares in constant time, and complains when it compares otherwise as well.
func look(t *testing.T, name string, body *ast.BlockStmt, found map[string]bool) {
	t.Helper()
	var leaky []string
	ast.Inspect(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			switch called(node) {
			case "subtle.ConstantTimeCompare", "hmac.Equal":
				found[name] = true
			case "bytes.Equal", "bytes.Compare", "strings.Compare", "strings.EqualFold", "reflect.DeepEqual", "slices.Equal":
				leaky = append(leaky, called(node))
			}
		case *ast.BinaryExpr:
			if (node.Op == token.EQL || node.Op == token.NEQ) && !fixed(node.X) && !fixed(node.Y) {
				leaky = append(leaky, node.Op.String())
			}
		}
		return true
	})
	switch _, listed := comparers[name]; {
	case found[name] && !listed:
		t.Errorf("%s compares in constant time and is not in the list", name)
	case listed && len(leaky) > 0:
		t.Errorf("%s compares with %v, which takes longer the more is right", name, leaky)
	}
}

// called returns the package and name of a function that is called, such as hmac.Equal.
func called(call *ast.CallExpr) string {
	if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
		if pkg, ok := selector.X.(*ast.Ident); ok {
			return pkg.Name + "." + selector.Sel.Name
		}
	}
	return ""
}

// fixed tells whether an operand is written in the source: a literal, nil, or a constant of another package.
func fixed(operand ast.Expr) bool {
	switch operand := operand.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return operand.Name == "nil"
	case *ast.SelectorExpr:
		pkg, ok := operand.X.(*ast.Ident)
		return ok && pkg.Name == "sha256"
	}
	return false
}
