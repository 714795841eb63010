package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// program is a command and its environment.
type program struct {
	path string
	env  []string
	// stdin is a file; "" is none.
	stdin string
}

// once runs the program and gives its wall time.
func (p program) once(want int, args ...string) (time.Duration, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close() //nolint:errcheck // nothing was written
	stdin := null
	if p.stdin != "" {
		if stdin, err = os.Open(p.stdin); err != nil {
			return 0, err
		}
		defer stdin.Close() //nolint:errcheck // only read
	}
	start := time.Now()
	process, err := os.StartProcess(p.path, append([]string{p.path}, args...), &os.ProcAttr{Env: p.env, Files: []*os.File{stdin, null, null}})
	if err != nil {
		return 0, err
	}
	state, err := process.Wait()
	took := time.Since(start)
	if err == nil && state.ExitCode() != want {
		err = fmt.Errorf("%s %v: exit code %d, expected %d", p.path, args, state.ExitCode(), want)
	}
	return took, err
}

// paired runs the hello world and the command in turn, so that a machine that
// becomes slower or faster does so for both.
func (b *bench) paired(p *program, args ...string) (base, mine []time.Duration, err error) {
	hello := program{path: b.hello, env: p.env}
	for i := range b.runs + 5 {
		if b.ctx.Err() != nil {
			return nil, nil, b.ctx.Err()
		}
		h, err := hello.once(0)
		if err != nil {
			return nil, nil, err
		}
		m, err := p.once(0, args...)
		if err != nil {
			return nil, nil, err
		}
		if i >= 5 { // the first ones warm the page cache
			base, mine = append(base, h), append(mine, m)
		}
	}
	return base, mine, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// row measures a command against the hello world: at most factor times its
// time, and more on top.
func (b *bench) row(what string, p *program, factor float64, more time.Duration, args ...string) error {
	base, mine, err := b.paired(p, args...)
	if err != nil {
		return err
	}
	r := row{what: what, base: median(base), median: median(mine), low: slices.Min(mine)}
	limit := time.Duration(float64(r.base)*factor) + more
	r.limit = fmt.Sprintf("at most %.1f ×", factor)
	if more > 0 {
		r.limit += " + " + more.String()
	}
	r.reached = yes(r.median <= limit)
	b.rows = append(b.rows, r)
	return nil
}

// wave starts n processes at once and gives the time until the last has ended.
func wave(n int, p program, args ...string) (time.Duration, error) {
	var wait sync.WaitGroup
	errs := make(chan error, n)
	start := time.Now()
	for range n {
		wait.Go(func() {
			if _, err := p.once(0, args...); err != nil {
				errs <- err
			}
		})
	}
	wait.Wait()
	took := time.Since(start)
	select {
	case err := <-errs:
		return 0, err
	default:
		return took, nil
	}
}

// output runs a command and gives what it prints.
func (b *bench) output(env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(b.ctx, name, args...) //nolint:gosec // fixed programs
	c.Env = env
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}
