// Package api is the box's local interface: what vouchd answers on its unix socket, the handler that
// serves it and the client that the panel and the command line use. It is JSON over HTTP/1.1 with
// errors as problem+json (RFC 9457); events come as server-sent events. Nothing here carries a
// template, an image, a score or a key.
package api
