package api

import _ "embed"

// ConsentText is what a person agrees to before a finger is taken: the panel and the command line
// show it whole, and the box keeps its digest with the enrolment.
//
//go:embed consent.txt
var ConsentText string
