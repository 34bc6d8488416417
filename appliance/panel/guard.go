package panel

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/vouchbox/vouch/appliance/api"
)

// policy lets a page load what the box itself serves, run no inline script or style, and post to the
// box only (CSP level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard sets the headers of every reply and refuses foreign names and foreign sites' posts before
// anything else runs.
func guard(hosts []string, refuse func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	known := append([]string{"127.0.0.1", "::1", "localhost"}, hosts...)
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(known, hostname(r.Host)) {
			refuse(w, r, &api.Error{
				Status: http.StatusMisdirectedRequest, Code: api.CodeForbidden, Title: "Not this box's name",
				Detail: "This box is not known by the name in the address bar. Open it by the address it shows, or add the name to its settings.",
			})
			return
		}
		if err := cross.Check(r); err != nil {
			refuse(w, r, &api.Error{
				Status: http.StatusForbidden, Code: api.CodeForbidden, Title: "Sent by another site",
				Detail: "Another web site tried to send this to the box. Nothing was done. Open the box's own page and do it there.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
