package cli

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line makes a text that others wrote harmless on a terminal: an instruction, a rule or a name on the
// chain must not move the cursor, add lines that look like ours, or turn the direction of the text.
func line(s string) string { return printable(s, false) }

// printable escapes, as Go writes it in quotes, each byte and rune that is not visible.
func printable(s string, newlines bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' && newlines, r == ' ':
			b.WriteRune(r)
		case r == utf8.RuneError:
			if strings.HasPrefix(s[i:], string(utf8.RuneError)) {
				b.WriteRune(r)
				continue
			}
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case !unicode.IsGraphic(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// nearest is the name with the fewest edits from got, the first of equals.
func nearest(got string, names []string) string {
	best, fewest := "", 0
	for _, name := range names {
		if d := distance(got, name); best == "" || d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements of bytes between a and b
// (Levenshtein 1966), of long texts that of their first 64 bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
