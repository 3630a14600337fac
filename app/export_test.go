package app

// Report tells a person why a command failed, and returns its exit code.
var Report = report
