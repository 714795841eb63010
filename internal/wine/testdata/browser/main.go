// Command browser follows the redirects of a sign-in. It prints to see where
// that ends up.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	fmt.Println("browser: noise on stdout")
	fmt.Fprintln(os.Stderr, "browser: noise on stderr")
	answer, err := http.Get(os.Args[len(os.Args)-1])
	if err != nil {
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}
