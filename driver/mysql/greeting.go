package mysql

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// greeting picks the connection id and the server's version out of the first
// packet a server sends. That packet is never encrypted nor compressed, and the
// server sends nothing more before it is answered, so whatever is read first
// belongs to it. The driver itself skips the id.
type greeting struct {
	over atomic.Bool // nothing more to learn

	mu      sync.Mutex // guards what follows while Reads may come
	seen    []byte
	id      uint32 // the session's, as the server or a proxy announced it; 0: unknown
	version string
}

// greetingLimit ends the search in a stream that does not look like MySQL's.
const greetingLimit = 512

// feed takes the next bytes of the stream.
func (g *greeting) feed(p []byte) {
	if g.over.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over.Load() {
		return
	}
	g.seen = append(g.seen, p[:min(len(p), greetingLimit)]...)
	id, version, more := parseGreeting(g.seen)
	if more && len(g.seen) < greetingLimit {
		return
	}
	g.id, g.version, g.seen = id, version, nil
	g.over.Store(true)
}

// parseGreeting reads an initial handshake packet of protocol version 10. more
// reports that p does not hold all of it yet.
func parseGreeting(p []byte) (id uint32, version string, more bool) {
	const header, protocol10 = 4, 10
	if len(p) <= header {
		return 0, "", true
	}
	if p[header] != protocol10 {
		return 0, "", false
	}
	p = p[header+1:]
	end := bytes.IndexByte(p, 0)
	if end < 0 || len(p) < end+1+4 {
		return 0, "", true
	}
	return binary.LittleEndian.Uint32(p[end+1:]), string(p[:end]), false
}
