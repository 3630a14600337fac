package api

// ClassOf is classOf for tests.
func ClassOf(method, route string) string { return classOf(method, route) }
