package tpmtest

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Action is what a Fault does to a response.
type Action int

const (
	Drop       Action = iota // close the connection instead of answering
	Hold                     // never answer, and leave the connection open
	Delay                    // answer after Fault.Wait
	Corrupt                  // invert the byte at Fault.Offset, counted from the end if negative
	Replace                  // answer Fault.Response without asking the TPM
	Substitute               // ask the TPM, then answer Fault.Response instead
)

// Fault hits one response.
type Fault struct {
	Command  uint32 // command code whose responses count; 0 counts all
	N        int    // the N-th of them since Inject, from 1; 0 means each
	Action   Action
	Offset   int
	Wait     time.Duration
	Response []byte
}

// Exchange is one command and what the client got for it, empty if nothing.
type Exchange struct{ Command, Response []byte }

// Proxy is a unix socket that passes TPM frames to another one.
type Proxy struct {
	path, upstream string
	listener       net.Listener
	closed         chan struct{}
	serving        sync.WaitGroup

	mu        sync.Mutex
	faults    []*Fault
	exchanges []Exchange
}

// NewProxy listens until the test ends, in front of the TPM at upstream.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	dir, err := shortTemp()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{path: filepath.Join(dir, "proxy"), upstream: upstream, closed: make(chan struct{})}
	p.listener, err = net.Listen("unix", p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		close(p.closed)
		p.listener.Close()
		p.serving.Wait()
		os.RemoveAll(dir)
	})
	return p
}

// Path is the unix socket for tpm.Open.
func (p *Proxy) Path() string { return p.path }

// Inject arms a fault. Faults with N > 0 act once.
func (p *Proxy) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
}

// Exchanges returns what crossed the wire so far.
func (p *Proxy) Exchanges() []Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Exchange(nil), p.exchanges...)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	ended := make(chan struct{})
	defer close(ended)
	p.serving.Go(func() {
		select {
		case <-p.closed:
			client.Close()
		case <-ended:
		}
	})
	var tpm net.Conn
	defer func() {
		if tpm != nil {
			tpm.Close()
		}
	}()
	for {
		cmd, err := readFrame(client)
		if err != nil {
			return
		}
		fault := p.hit(binary.BigEndian.Uint32(cmd[6:]))
		var rsp []byte
		if fault != nil && fault.Action == Replace {
			rsp = fault.Response
		} else {
			if tpm == nil {
				if tpm, err = net.Dial("unix", p.upstream); err != nil {
					return
				}
			}
			if _, err := tpm.Write(cmd); err != nil {
				return
			}
			if rsp, err = readFrame(tpm); err != nil {
				return
			}
		}
		if fault != nil {
			switch fault.Action {
			case Drop:
				p.record(cmd, nil)
				return
			case Hold:
				p.record(cmd, nil)
				// Ends when the client gives up, or the test does.
				client.Read(make([]byte, 1))
				return
			case Delay:
				select {
				case <-time.After(fault.Wait):
				case <-p.closed:
					return
				}
			case Substitute:
				rsp = fault.Response
			case Corrupt:
				rsp[(fault.Offset+len(rsp))%len(rsp)] ^= 0xff
			}
		}
		p.record(cmd, rsp)
		if _, err := client.Write(rsp); err != nil {
			return
		}
	}
}

func (p *Proxy) record(cmd, rsp []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges = append(p.exchanges, Exchange{bytes.Clone(cmd), bytes.Clone(rsp)})
}

// hit counts the command against the armed faults and returns the one that acts on it.
func (p *Proxy) hit(command uint32) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if f.Command != 0 && f.Command != command {
			continue
		}
		if f.N == 0 {
			return f
		}
		f.N--
		if f.N == 0 {
			p.faults = append(p.faults[:i], p.faults[i+1:]...)
			return f
		}
	}
	return nil
}
