package testkit

// GoldenMode is Golden with the flag -update given or not.
var GoldenMode = golden
