package docs_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the parts of pages that the program writes")

// TestGenerated looks at the parts of pages that begin with a comment
//
//	<!-- output of: barrel ... -->
//
// and end with <!-- end -->: between them stands a block with what the command prints.
func TestGenerated(t *testing.T) {
	part := regexp.MustCompile("(?s)<!-- output of: (barrel [^\n]*) -->\n```(\\w+)\n(.*?)```\n<!-- end -->")
	found := 0
	for _, name := range pages(t) {
		page := read(t, name)
		now := part.ReplaceAllStringFunc(page, func(old string) string {
			found++
			m := part.FindStringSubmatch(old)
			out, err := barrel(t, "", strings.Fields(m[1])[1:]...).Output()
			if err != nil {
				t.Fatalf("%s: %s: %v", name, m[1], err)
			}
			return "<!-- output of: " + m[1] + " -->\n```" + m[2] + "\n" + string(out) + "```\n<!-- end -->"
		})
		switch {
		case now == page:
		case *update:
			if err := os.WriteFile(name, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is not what the program prints now: run go test ./docs -run TestGenerated -update", name)
		}
	}
	if found == 0 {
		t.Error("no page has a part that the program writes")
	}
}
