package matrix

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// results are the cells that ran in this process, and whether they passed.
var (
	mu      sync.Mutex
	results = map[string]map[string]string{} // test, feature: passed, failed, skipped
)

// Run runs a cell: the subtest of a feature. The parent test's name is the
// provider's Test.
func Run(t *testing.T, feature string, test func(*testing.T)) bool {
	t.Helper()
	return t.Run(feature, func(sub *testing.T) {
		sub.Cleanup(func() {
			result := "passed"
			switch {
			case sub.Failed():
				result = "failed"
			case sub.Skipped():
				result = "skipped"
			}
			mu.Lock()
			defer mu.Unlock()
			if results[t.Name()] == nil {
				results[t.Name()] = map[string]string{}
			}
			results[t.Name()][feature] = result
		})
		test(sub)
	})
}

// Check compares what ran in this test process with the table. Each test
// package's TestMain calls it at the end; it says nothing when only a part of
// the tests was asked for. With strict, as in CI, a skipped cell is a wrong one.
func Check(strict bool) error {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return nil
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	var problems []error
	for _, p := range Providers() {
		if p.Dir == filepath.Base(wd) {
			problems = append(problems, compare(p, results[p.Test], strict)...)
		}
	}
	return errors.Join(problems...)
}

// compare names each difference between a column and a run.
func compare(p Provider, ran map[string]string, strict bool) []error {
	var problems []error
	if len(ran) == 0 && !strict {
		return nil // the provider is not on this machine, as the skipped test said
	}
	for _, feature := range p.Tested {
		switch result := ran[feature]; result {
		case "passed", "failed": // a failure speaks for itself
		case "":
			problems = append(problems, fmt.Errorf("the table of docs/providers.md claims %s/%s, which did not run", p.Test, feature))
		default:
			if !strict {
				continue
			}
			problems = append(problems, fmt.Errorf("the table of docs/providers.md claims %s/%s, which was %s", p.Test, feature, result))
		}
	}
	for _, feature := range slices.Sorted(maps.Keys(ran)) {
		if !slices.Contains(p.Tested, feature) {
			problems = append(problems, fmt.Errorf("%s/%s ran and is missing in the table of docs/providers.md", p.Test, feature))
		}
	}
	return problems
}
