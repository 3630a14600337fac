// Command stores says which stores the tests of this machine run on.
package main

import (
	"fmt"

	"usher/internal/testkit"
)

func main() {
	fmt.Println("testkit: " + testkit.Stores())
}
