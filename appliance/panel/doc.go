// Package panel is the box's own web page: what vouchpanel serves and a person uses. It holds no key
// and no state; each page is what the [api.Box] behind it said a moment ago. cmd/vouchpanel imports it.
//
// Every action is a plain form: with scripts off, pages in motion reload themselves. With scripts on,
// htmx swaps in what a server-sent stream brings (static/vendor.sha256 pins both files). No page names
// an address outside the box, and a strict content security policy stands behind that.
//
// Errors become pages that say what happened and what to do, with the status of the [api.Error].
package panel
