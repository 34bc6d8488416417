package strict

// Nearest is the name with the fewest edits from got, the first of equals; empty when there are no names.
func Nearest(got string, names []string) string {
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
