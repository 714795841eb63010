// Command demo tells the story of oidc-cred with the real program against a
// provider of its own on loopback: sign in, get tokens, lose the provider, go
// on offline, come back, be signed out. 'make demo' runs it.
//
// It checks what it shows: a command that ends with another exit code, or says
// something else than the story needs, ends the demo with exit code 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	var d demo
	flag.BoolVar(&d.browser, "browser", false, "sign in with this machine's browser, at a page that asks")
	flag.BoolVar(&d.brief, "brief", false, "only the sign-in, the outage and its end")
	flag.StringVar(&d.binary, "binary", "", "the oidc-cred to show; empty: build it")
	plain := flag.Bool("plain", false, "no colour, as with -color never")
	color := flag.String("color", "auto", "colour: auto, always or never")
	follow := flag.String("follow", "", "act as a browser that opens this address, and stop")
	flag.Parse()

	// A closed pipe too (make demo | head), so that the folder is removed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	if *follow != "" {
		return report(followTo(ctx, *follow))
	}
	switch {
	case flag.NArg() > 0:
		return usage("unexpected argument " + flag.Arg(0))
	case *color != "auto" && *color != "always" && *color != "never":
		return usage("-color: expected auto, always or never, not " + *color)
	case *plain:
		*color = "never"
	}
	d.screen = newScreen(os.Stdout, *color)
	err := d.tell(ctx)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return report(err)
}

func usage(problem string) int {
	fmt.Fprintln(os.Stderr, "demo:", problem)
	return 2
}

func report(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "demo: interrupted; nothing is left behind")
		return 130
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	return 1
}
