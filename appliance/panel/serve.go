package panel

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

const (
	headerTime = 5 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 60 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 16 << 10
)

// Ready is the line that [Run] prints once the panel can be opened.
type Ready struct {
	Ready bool   `json:"ready"`
	URL   string `json:"url"`
}

// Run is vouchpanel: it reads args, serves until ctx ends and prints one [Ready] line of JSON on
// stdout; its log goes to stderr. vouchd need not run yet: until it does, pages say so.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("vouchpanel", flag.ContinueOnError)
	flags.SetOutput(stderr)
	socket := flags.String("socket", "/run/vouch/vouchd.sock", "unix socket of vouchd")
	listen := flags.String("listen", "127.0.0.1:8480", "address to serve on; without TLS, so keep it on loopback")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("vouchpanel takes no argument, got %q", flags.Args())
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	p, err := New(api.Dial(*socket), Config{Log: log})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("opening the panel's address: %w", err)
	}
	if err := loopback(l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	log.Info("panel listens", "address", l.Addr().String(), "socket", *socket)
	if err := json.NewEncoder(stdout).Encode(Ready{Ready: true, URL: "http://" + l.Addr().String()}); err != nil {
		return errors.Join(fmt.Errorf("saying that the panel is ready: %w", err), l.Close())
	}
	return Serve(ctx, l, p, log)
}

// loopback refuses to show the box to a network in clear text and without a sign-in.
func loopback(a net.Addr) error {
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("the panel has no TLS and no sign-in yet: %s is not a loopback address, use 127.0.0.1", a)
}

// Serve answers on l until ctx ends, then lets running replies finish for a few seconds. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	err := api.ServeUntil(ctx, l, &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	})
	if err != nil {
		return fmt.Errorf("serving the panel: %w", err)
	}
	return nil
}
