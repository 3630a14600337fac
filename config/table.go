package config

import (
	"reflect"
	"slices"
	"strings"
)

// Variable describes one setting for the generated documents.
type Variable struct {
	Name    string // with its prefix
	Default string
	Desc    string
	Secret  bool
	Must    bool   // has no default and must be set
	Prod    bool   // production needs a value of its own, says the tag prod:"set"
	Type    string // for people: text, number, duration, yes/no, list

	field string
}

// Table lists the settings of the given structs (or pointers to them) in the order of their fields. A setting that several
// structs share is listed once.
func Table(targets ...any) []Variable {
	var table []Variable
	for _, target := range targets {
		t := reflect.TypeOf(target)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		table = appendFields(table, t, "")
	}
	listed := map[string]bool{}
	return slices.DeleteFunc(table, func(v Variable) bool {
		again := listed[v.Name]
		listed[v.Name] = true
		return again
	})
}

func appendFields(table []Variable, t reflect.Type, prefix string) []Variable {
	for field := range t.Fields() {
		tag, tagged := field.Tag.Lookup("env")
		name, option, _ := strings.Cut(tag, ",")
		switch {
		case tagged:
			table = append(table, Variable{
				Name:    Prefix + prefix + name,
				Default: field.Tag.Get("envDefault"),
				Desc:    field.Tag.Get("desc"),
				Must:    option == "required",
				Prod:    field.Tag.Get("prod") == "set",
				Secret:  field.Type == reflect.TypeFor[Secret](),
				Type:    typeName(field.Type),
				field:   field.Name,
			})
		case field.Type.Kind() == reflect.Struct:
			table = appendFields(table, field.Type, prefix+field.Tag.Get("envPrefix"))
		}
	}
	return table
}

func typeName(t reflect.Type) string {
	switch {
	case t.PkgPath() == "time" && t.Name() == "Duration":
		return "duration"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Bool:
		return "yes/no"
	case t.Kind() == reflect.Slice:
		return "list"
	default:
		return "text"
	}
}
