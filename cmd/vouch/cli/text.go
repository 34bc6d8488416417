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
