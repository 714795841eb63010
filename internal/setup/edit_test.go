package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestJSONSet(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		value    any
		path     []string
	}{
		"no file":        {"", "{\n\t\"credHelpers\": {\n\t\t\"a.example.com\": \"oidc-cred\"\n\t}\n}\n", "oidc-cred", []string{"credHelpers", "a.example.com"}},
		"empty object":   {"{}", "{\n\t\"a\": 1\n}", 1, []string{"a"}},
		"beside another": {"{\n  \"x\": 1.0e3,\n  \"h\": {\n    \"b\": \"c\"\n  }\n}\n", "{\n  \"x\": 1.0e3,\n  \"h\": {\n    \"b\": \"c\",\n    \"a\": \"o\"\n  }\n}\n", "o", []string{"h", "a"}},
		"a new object":   {"{\n  \"x\": 1\n}", "{\n  \"x\": 1,\n  \"h\": {\n    \"a\": \"<o>\"\n  }\n}", "<o>", []string{"h", "a"}},
		"replaced":       {`{"h": {"a": "old", "b": 2}}`, `{"h": {"a": "new", "b": 2}}`, "new", []string{"h", "a"}},
		"the same":       {`{"h": { "a" :  "new"}}`, `{"h": { "a" :  "new"}}`, "new", []string{"h", "a"}},
		"one line":       {`{"x":1}`, `{"x":1,"h":{"a":"o"}}`, "o", []string{"h", "a"}},
		"one wide line":  {`{"x": 1}`, `{"x": 1, "h": {"a":"o"}}`, "o", []string{"h", "a"}},
		"into empty":     {"{\n\t\"h\": {}\n}", "{\n\t\"h\": {\n\t\t\"a\": [\n\t\t\t\"x\"\n\t\t]\n\t}\n}", []string{"x"}, []string{"h", "a"}},
		"CR LF":          {"{\r\n \"x\": 1\r\n}\r\n", "{\r\n \"x\": 1,\r\n \"a\": 2\r\n}\r\n", 2, []string{"a"}},
		"escaped key":    {`{"h": {"\u0061": 1}}`, `{"h": {"\u0061": 2}}`, 2, []string{"h", "a"}},
		"twice":          {`{"a": 1, "a": 2}`, `{"a": 1, "a": 3}`, 3, []string{"a"}},
	} {
		got, err := jsonSet([]byte(c.in), c.value, c.path...)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s\nwant\n%s\n%v", name, got, c.want, err)
			continue
		}
		again, err := jsonSet(got, c.value, c.path...)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: a second time it is\n%s", name, again)
		}
	}
	for _, in := range []string{"[]", "x", `{"h": 1}`, `{"h": null}`, "{} {}", "{// c\n}", "\xef\xbb\xbf{}"} {
		var e *Error
		if _, err := jsonSet([]byte(in), 1, "h", "a"); !errors.As(err, &e) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestJSONUnset(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"{}":                      "{}",
		`{"h": {"a": 1}}`:         `{}`,
		`{"h": {"a": 1, "b": 2}}`: `{"h": {"b": 2}}`,
		`{"h": {"b": 2, "a": 1}}`: `{"h": {"b": 2}}`,
		"{\n  \"h\": {\n    \"a\": 1\n  },\n  \"x\": 2\n}": "{\n  \"x\": 2\n}",
		"{\n  \"x\": 2,\n  \"h\": {\n    \"a\": 1\n  }\n}": "{\n  \"x\": 2\n}",
		`{"h": {"a": 1, "a": 2, "b": 3}}`:                  `{"h": {"b": 3}}`,
		`{"h": {"b": 1}}`:                                  `{"h": {"b": 1}}`,
	} {
		if got, err := jsonUnset([]byte(in), "h", "a"); err != nil || string(got) != want {
			t.Errorf("%s: %s, want %s (%v)", in, got, want, err)
		}
	}
}

// FuzzJSONEdit: what was set is there, everything else is as before, and
// taking it out again brings the former content back.
func FuzzJSONEdit(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":1,"a":2}`, "{\n\t\"auths\": {}, \"h\": {\"x\": [1, {\"y\": 2}]}}", `{"h":{"k":1}}`, ` { "h" : { } } `, "{\r\n\"x\":1}"} {
		f.Add([]byte(s), "h", "k", "v")
	}
	f.Fuzz(func(t *testing.T, in []byte, a, b, value string) {
		out, err := jsonSet(in, value, a, b)
		if err != nil {
			return
		}
		want := decodeAny(t, in)
		inner, _ := want[a].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		clean := decodeAny(t, []byte(mustJSON(t, map[string]any{"v": value})))["v"]
		inner[decodeText(t, b)] = clean
		want[decodeText(t, a)] = inner
		if got := decodeAny(t, out); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q", in, out)
		}
		back, err := jsonUnset(out, decodeText(t, a), decodeText(t, b))
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if _, found, err := jsonGet(back, decodeText(t, a), decodeText(t, b)); found || err != nil {
			t.Fatalf("%q is left in %q: %v", b, back, err)
		}
	})
}

func decodeAny(t *testing.T, data []byte) map[string]any {
	t.Helper()
	m := map[string]any{}
	if len(bytes.TrimSpace(data)) == 0 {
		return m
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return m
}

// decodeText is a text as it comes back from JSON.
func decodeText(t *testing.T, s string) string {
	t.Helper()
	var back string
	if err := json.Unmarshal([]byte(mustJSON(t, s)), &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestINI(t *testing.T) {
	const aws = "# mine\n[default]\nregion = eu-1\ns3 =\n  x = 1\n\n[profile work]\nregion=eu-2\n"
	for name, c := range map[string]struct{ in, section, key, value, want string }{
		"no file":         {"", "profile a", "k", "v", "[profile a]\nk = v\n"},
		"no file, flat":   {"", "", "k", "v", "k=v\n"},
		"new section":     {aws, "profile a", "k", "v", aws + "\n[profile a]\nk = v\n"},
		"new key":         {aws, "default", "k", "v", "# mine\n[default]\nregion = eu-1\ns3 =\n  x = 1\nk = v\n\n[profile work]\nregion=eu-2\n"},
		"last section":    {aws, "profile work", "k", "v", aws + "k=v\n"},
		"replaced":        {aws, "profile work", "region", "x", "# mine\n[default]\nregion = eu-1\ns3 =\n  x = 1\n\n[profile work]\nregion=x\n"},
		"replaced, lines": {aws, "default", "s3", "x", "# mine\n[default]\nregion = eu-1\ns3 =x\n\n[profile work]\nregion=eu-2\n"},
		"flat":            {"//r.example.com/:x=1\n; c\n", "", "//s.example.com/:tokenHelper", "/o", "//r.example.com/:x=1\n; c\n//s.example.com/:tokenHelper=/o\n"},
		"no line end":     {"a=1", "", "b", "2", "a=1\nb=2\n"},
		"CR LF":           {"[a]\r\nx = 1\r\n", "a", "y", "2", "[a]\r\nx = 1\r\ny = 2\r\n"},
		"the same":        {aws, "default", "region", "eu-1", aws},
	} {
		got := iniSet([]byte(c.in), c.section, c.key, c.value)
		if string(got) != c.want {
			t.Errorf("%s:\n%s", name, got)
		}
		if v, ok := iniGet(got, c.section, c.key); !ok || v != c.value {
			t.Errorf("%s: it is %q, %v", name, v, ok)
		}
		if again := iniSet(got, c.section, c.key, c.value); !bytes.Equal(again, got) {
			t.Errorf("%s: a second time it is\n%s", name, again)
		}
	}
	for _, c := range []struct{ in, section, key, want string }{
		{aws + "\n[profile a]\nk = v\n", "profile a", "k", aws},
		{"[a]\nk = v\n  more\n\n[b]\n", "a", "k", "[b]\n"},
		{"[a]\n# why\nk = v\n", "a", "k", "[a]\n# why\n"},
		{"[a]\nk = v\nl = w\n", "a", "k", "[a]\nl = w\n"},
		{"k=v\nl=w\n", "", "k", "l=w\n"},
		{"x", "a", "k", "x"},
	} {
		if got := iniUnset([]byte(c.in), c.section, c.key); string(got) != c.want {
			t.Errorf("%q without %s is %q", c.in, c.key, got)
		}
	}
}

// FuzzINIEdit: a value that is set is found, and nothing of another key is
// changed.
func FuzzINIEdit(f *testing.F) {
	for _, s := range []string{"", "[s]\nk = v\n more\n", "k=v", "[s]\r\n", "#c\n\n[s]\nx=1\n[t]\n[s]\ny=2", " [s] \n\tk\n"} {
		f.Add([]byte(s), "s")
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, in []byte, section string) {
		if section != "s" {
			section = ""
		}
		out := iniSet(in, section, "key", "value x")
		if v, ok := iniGet(out, section, "key"); !ok || v != "value x" {
			t.Fatalf("%q became %q", in, out)
		}
		for _, l := range readINI(in) {
			if l.key != "" && (l.key != "key" || l.section != section) {
				was, _ := iniGet(in, l.section, l.key)
				if now, ok := iniGet(out, l.section, l.key); !ok || now != was {
					t.Fatalf("%q became %q: %s.%s", in, out, l.section, l.key)
				}
			}
		}
		if _, ok := iniGet(iniUnset(out, section, "key"), section, "key"); ok {
			t.Fatalf("%q: it is not removed", out)
		}
	})
}

func TestTOML(t *testing.T) {
	const cargo = "# mine\n[registry]\ndefault = \"x\" # why\n\n[registries.a]\nindex = \"sparse+https://a/\"\nlist = [\n  1, # one ]\n  2,\n]\n"
	for name, c := range map[string]struct{ in, table, key, raw, want string }{
		"no file":         {"", "registries.b", "token", `"t"`, "[registries.b]\ntoken = \"t\"\n"},
		"no table":        {"", "", "k", "1", "k = 1\n"},
		"before":          {"[a]\nx = 1\n", "", "k", "1", "k = 1\n[a]\nx = 1\n"},
		"new table":       {cargo, "registries.b", "token", `"t"`, cargo + "\n[registries.b]\ntoken = \"t\"\n"},
		"new key":         {cargo, "registry", "k", `["a", "b"]`, "# mine\n[registry]\ndefault = \"x\" # why\nk = [\"a\", \"b\"]\n\n[registries.a]\nindex = \"sparse+https://a/\"\nlist = [\n  1, # one ]\n  2,\n]\n"},
		"last table":      {cargo, "registries.a", "k", "true", cargo + "k = true\n"},
		"replaced":        {cargo, "registry", "default", `"y"`, "# mine\n[registry]\ndefault = \"y\" # why\n\n[registries.a]\nindex = \"sparse+https://a/\"\nlist = [\n  1, # one ]\n  2,\n]\n"},
		"long":            {cargo, "registries.a", "list", "[]", "# mine\n[registry]\ndefault = \"x\" # why\n\n[registries.a]\nindex = \"sparse+https://a/\"\nlist = []\n"},
		"dotted":          {"registries.a.index = \"x\"\n", "registries.a", "index", `"y"`, "registries.a.index = \"y\"\n"},
		"quoted":          {"[\"a b\"]\n'c.d' = 1\n", `"a b"`, `"c.d"`, "2", "[\"a b\"]\n'c.d' = 2\n"},
		"strings":         {"[a]\nx = \"\"\"\n[b]\n\"\"\"\"\ny = 'z#'\n", "a", "k", "1", "[a]\nx = \"\"\"\n[b]\n\"\"\"\"\ny = 'z#'\nk = 1\n"},
		"no line end":     {"[a]\nx = 1", "a", "k", "1", "[a]\nx = 1\nk = 1\n"},
		"the same":        {cargo, "registry", "default", `'x'`, cargo},
		"inline":          {"a = {b = 1}\n", "a", "k", "1", "a = {b = 1, k = 1}\n"},
		"inline, empty":   {"a = {} # c\n", "a", "k", "1", "a = { k = 1 } # c\n"},
		"inline, there":   {"a = { k = ['}', 2], b = 1 }\n", "a", "k", "1", "a = { k = 1, b = 1 }\n"},
		"inline, below":   {"[r]\na = { b = \"x,}\" } # c\nz = 1\n", "r.a", "k", "1", "[r]\na = { b = \"x,}\", k = 1 } # c\nz = 1\n"},
		"inline, nested":  {"r = { a = { b = 1 }, z = 1 }\n", "r.a", "k", "1", "r = { a = { b = 1, k = 1 }, z = 1 }\n"},
		"inline, another": {"r = { z = { b = 1 } }\n", "r.a", "k", "1", "r = { z = { b = 1 }, a.k = 1 }\n"},
		"inline, dotted":  {"r.a = { b = 1 }", "r.a", "k", "1", "r.a = { b = 1, k = 1 }"},
		"dotted, new":     {"r.a.b = 1 # c\r\nx = 1\r\n", "r.a", "k", "1", "r.a.b = 1 # c\r\nr.a.k = 1\r\nx = 1\r\n"},
		"dotted, below":   {"[r]\n  a.\"b c\".d = 1\n\n[z]\n", "r.a", "k", "1", "[r]\n  a.\"b c\".d = 1\n  a.k = 1\n\n[z]\n"},
		"dotted, no end":  {"r.a.b = 1", "r.a", "k", "1", "r.a.b = 1\nr.a.k = 1\n"},
		"dotted, other":   {"r.z.b = 1\n", "r.a", "k", "1", "r.z.b = 1\n\n[r.a]\nk = 1\n"},
	} {
		got, err := tomlSet([]byte(c.in), c.table, c.key, c.raw)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, got)
			continue
		}
		if raw, ok, err := tomlGet(got, c.table, c.key); !ok || err != nil || raw != c.raw && name != "the same" {
			t.Errorf("%s: it is %q, %v, %v", name, raw, ok, err)
		}
		if again, err := tomlSet(got, c.table, c.key, c.raw); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: a second time it is\n%s", name, again)
		}
	}
	for _, in := range []string{"a = 1\n", "[[a]]\nb = 1\n", "x", "a.b.c = 1\n[a.b"} {
		if out, err := tomlSet([]byte(in), "a", "k", "1"); err == nil {
			t.Errorf("%q became %q", in, out)
		}
	}
	if raw, ok, err := tomlGet([]byte("a = {b = [1, 2]}\n"), "a", "b"); raw != "[1, 2]" || !ok || err != nil {
		t.Errorf("%q, %v, %v", raw, ok, err)
	}
	for _, c := range []struct{ in, table, key, want string }{
		{cargo + "\n[registries.b]\ntoken = \"t\"\n", "registries.b", "token", cargo},
		{"[a]\nk = 1\n\n[b]\nx = 1\n", "a", "k", "[b]\nx = 1\n"},
		{"[a]\n# why\nk = 1\n", "a", "k", "[a]\n# why\n"},
		{"[a]\nk = 1\nl = 2\n", "a", "k", "[a]\nl = 2\n"},
		{"k = 1\n", "", "x", "k = 1\n"},
		{"a = {k = 1}", "a", "k", "a = {}"},
		{"a = { k = 1, b = 2 }\n", "a", "k", "a = { b = 2 }\n"},
		{"r = { a = { b = 1, k = [1, 2] }, z = 1 }\n", "r.a", "k", "r = { a = { b = 1 }, z = 1 }\n"},
		{"r.a.b = 1\nr.a.k = 1\nx = 1\n", "r.a", "k", "r.a.b = 1\nx = 1\n"},
	} {
		if got, err := tomlUnset([]byte(c.in), c.table, c.key); err != nil || string(got) != c.want {
			t.Errorf("%q without %s is %q, %v", c.in, c.key, got, err)
		}
	}
	if _, err := tomlUnset([]byte("[[a]]\nk = 1"), "a", "k"); err != nil {
		t.Error(err)
	}
}

// FuzzTOMLEdit: tomlSet and tomlUnset check what they did; they must not panic,
// and say so where they can't.
func FuzzTOMLEdit(f *testing.F) {
	for _, s := range []string{"", "[a]\nk = 1\n", "a.k = 1 # c", "a = { k = 1 }", "a = { b = '}', c.d = [{}] }", "a.b.c = 1", "[[a]]\n", "[a] # x\nx = \"\"\"\n\\\"\"\"\"\n", "'a'.\"k\" = ['''\n]''']\n", "[a.b]\n[a]\r\nx = 1970-01-01 00:00:00\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := tomlSet(in, "a", "k", `"v"`)
		if err != nil {
			return
		}
		if raw, ok, err := tomlGet(out, "a", "k"); !ok || err != nil {
			t.Fatalf("%q became %q: %q, %v", in, out, raw, err)
		}
		if back, err := tomlUnset(out, "a", "k"); err == nil {
			if _, ok, _ := tomlGet(back, "a", "k"); ok {
				t.Fatalf("%q: it is not removed", out)
			}
		}
	})
}
