package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"strings"
	"sync"
)

// A stream is the randomness of oracle.py's "seed", handed to a Guard so that its session keys and
// CSRF secrets come out as those of the Django that was given the same seed.
//
// Django chooses a character at a time, by four bytes modulo the length of the alphabet. Lockstep
// reads bytes and takes those that are fair. So the reader has to know the alphabet, which it sees by
// who reads, and gives for each character the byte that stands for it; what is read beyond the
// characters is 255, which is fair in neither alphabet.
type stream struct {
	mu   sync.Mutex
	seed string
	n    uint64
	left []byte
}

const (
	keyCharacters  = 36 // of session keys
	csrfCharacters = 62
	drawnLength    = 32 // characters of a key, a secret and a mask
	unfair         = 255
)

func (s *stream) next() uint32 {
	if len(s.left) < 4 {
		block := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.n))
		s.left = append(s.left, block[:]...)
		s.n++
	}
	v := binary.BigEndian.Uint32(s.left)
	s.left = s.left[4:]
	return v
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	characters := uint32(csrfCharacters)
	if readForSession() {
		characters = keyCharacters
	}
	for i := range p {
		p[i] = unfair
		if i < drawnLength {
			p[i] = byte(s.next() % characters) //nolint:gosec // at most 62
		}
	}
	return len(p), nil
}

// choose is n characters of an alphabet, as Django's get_random_string.
func (s *stream) choose(n int, alphabet string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[int(s.next())%len(alphabet)]
	}
	return string(text)
}

// readForSession reports whether package session reads: the caller beyond this package and io.
func readForSession() bool {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "io.") {
			return strings.Contains(frame.Function, "/lockstep/session.")
		}
		if !more {
			return false
		}
	}
}
