// Package sandbox is the daemon's side of running a network: it starts a confined
// worker process for one model, sends it requests, and believes nothing that comes
// back but bytes of bounded size, which it hashes itself.
//
// Requirements. A network is a stranger's program. It gets one request and memory:
// no file, network, key, other process or environment. What the kernel refused to
// set up is a named fact (Worker.Confinement) and, by default, an error. Every run
// ends within its deadline, if need be with the process.
//
// Non-requirements. Hiding the CPU's side channels; protecting a network from the
// owner of the box.
//
// How: the worker's program, the engine library and the network are copied, checked
// against their digests, into sealed memfds (memfd_create(2)) that the worker
// inherits beside a socket. The parent clones it into new namespaces
// (namespaces(7)), package confine does the rest from inside, and the parent then
// looks in /proc at what the kernel shows before the first request.
//
// When a worker dies, times out or talks nonsense it is killed and the run fails;
// the next run starts a fresh one.
//
// The daemon's composition root imports it. It needs no cgo. Errors are those of
// package inference, and model.ErrNotFound and model.ErrDigest at the start.
package sandbox
