package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// signUpFieldNames are the fields that a registration may ask for beside its contacts.
var signUpFieldNames = []string{"username", "password", "password_repeat", "email"}

// signUpFields checks what a registration asks for. REGISTRATION names the contacts, so every form proves at least one.
func signUpFields(fields []string, registration string) error {
	for i, field := range fields {
		switch {
		case field == "none" && len(fields) == 1:
		case !slices.Contains(signUpFieldNames, field):
			return errors.New("want none, or some of " + strings.Join(signUpFieldNames, ", ") + "; USHER_REGISTRATION names the contacts")
		case slices.Contains(fields[:i], field):
			return errors.New(field + " is listed twice")
		}
	}
	switch {
	case slices.Contains(fields, "password_repeat") && !slices.Contains(fields, "password"):
		return errors.New("password_repeat needs password")
	case slices.Contains(fields, "email") && registration != "either":
		return errors.New("email is for USHER_REGISTRATION=either: the other kinds say themselves whether an address is asked for")
	}
	return nil
}

// Landing checks where people land without another address: on a page of Usher, or inside one of the addresses that the pages may
// send people back to. The error quotes no value.
func Landing(text string, returnTo []string) error {
	if text == "" || text == "/account" {
		return nil
	}
	want := errors.New("want /account, or an address inside one of USHER_RETURN_TO")
	allowed, err := ReturnAddresses(returnTo)
	if err != nil {
		return nil //nolint:nilerr // RETURN_TO has a mistake of its own
	}
	address, err := url.Parse(text)
	if err != nil || address.Fragment != "" {
		return want
	}
	query := address.RawQuery
	address.RawQuery = ""
	plain, err := ReturnAddresses([]string{address.String()})
	if err != nil || strings.ContainsAny(query, "\\\"<>^`{|} ") {
		return want
	}
	for _, prefix := range allowed {
		inside := plain[0].Path == prefix.Path || strings.HasPrefix(plain[0].Path, prefix.Path+"/")
		if plain[0].Scheme == prefix.Scheme && plain[0].Host == prefix.Host && inside {
			return nil
		}
	}
	return want
}
