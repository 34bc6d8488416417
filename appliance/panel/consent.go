package panel

import (
	"strings"

	"github.com/vouchbox/vouch/appliance/api"
)

// consentBody is [api.ConsentText] for a page: not a word more or less, since the box keeps the digest
// of that text as what the person agreed to.
type consentBody struct {
	Title      string
	Paragraphs []paragraph
}

// paragraph has a label when it begins with one: "Where: on this box".
type paragraph struct{ Label, Text string }

const maxLabel = 40 // bytes; a colon further on is part of a sentence

func readConsent(text string) consentBody {
	var b consentBody
	for i, block := range strings.Split(text, "\n\n") {
		line := strings.Join(strings.Fields(block), " ")
		if i == 0 {
			b.Title = line
			continue
		}
		label, rest, ok := strings.Cut(line, ": ")
		if !ok || len(label) > maxLabel {
			label, rest = "", line
		} else {
			label += ":"
		}
		if line != "" {
			b.Paragraphs = append(b.Paragraphs, paragraph{label, rest})
		}
	}
	return b
}

func consent() consentBody { return readConsent(api.ConsentText) }
