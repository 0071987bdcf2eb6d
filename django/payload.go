package django

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// MaxPayload is the largest payload that [Signer.Loads] returns, in bytes. It bounds what a
// compressed payload may grow to.
const MaxPayload = 1 << 20

// ErrBadPayload is the error of [Signer.Loads] for a text that is signed well and does not hold a
// payload: its base64 or zlib is broken, or it is larger than [MaxPayload].
var ErrBadPayload = errors.New("signed payload cannot be read")

const compressedMark = '.'

// Dumps is signing.dumps for an object that is already JSON, at the time t: the JSON in base64 with
// time and signature. With compress it is compressed when that makes it shorter, and then begins
// with ".". Every zlib can read it; its bytes are not those of CPython's.
//
// What is longer than [MaxPayload] is signed all the same, and not read back by [Signer.Loads].
func (s *Signer) Dumps(json []byte, compress bool, t time.Time) string {
	return string(s.AppendDumps(nil, json, compress, t))
}

// AppendDumps appends what [Signer.Dumps] returns.
func (s *Signer) AppendDumps(dst, json []byte, compress bool, t time.Time) []byte {
	m := s.keys[0].borrow()
	defer s.keys[0].giveBack(m)
	m.text = m.text[:0]
	if compress {
		d := deflaters.Get().(*deflater)
		defer deflaters.Put(d)
		if compressed := d.compress(json); len(compressed) < len(json)-1 {
			m.text = append(m.text, compressedMark)
			json = compressed
		}
	}
	m.text = base64.RawURLEncoding.AppendEncode(m.text, json)
	return append(dst, m.sealAt(t)...)
}

// Loads is signing.loads up to the JSON, at the time now. maxAge is that of [Signer.UnsignAt]. The
// error is [ErrBadSignature], [ErrSignatureExpired] or [ErrBadPayload]. The bytes are not checked to
// be JSON; [ParseObject] does.
func (s *Signer) Loads(signed string, maxAge time.Duration, now time.Time) (json []byte, err error) {
	value, _, err := s.UnsignAt(signed, maxAge, now)
	if err != nil {
		return nil, err
	}
	return unpack(value)
}

// InsecurePayload returns what [Signer.Loads] does for signed, whoever signed it, if anybody did, and
// whenever. What it returns proves nothing.
func InsecurePayload(signed string) (json []byte, err error) {
	value := signed
	for range 2 { // signature and time
		i := strings.LastIndexByte(value, ':')
		if i < 0 {
			return nil, ErrBadPayload
		}
		value = value[:i]
	}
	return unpack(value)
}

// unpack is the payload of what was signed.
func unpack(value string) (json []byte, err error) {
	coded, compressed := strings.CutPrefix(value, string(compressedMark))
	if base64.RawURLEncoding.DecodedLen(len(coded)) > MaxPayload {
		return nil, errTooLarge
	}
	data, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPayload, err)
	}
	if !compressed {
		return data, nil
	}
	return inflate(data)
}

var errTooLarge = fmt.Errorf("%w: larger than %d bytes", ErrBadPayload, MaxPayload)

// A deflater compresses as zlib.compress does. Its tables are large, so it is used again.
type deflater struct {
	w   *zlib.Writer
	out bytes.Buffer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w = zlib.NewWriter(&d.out)
	return d
}}

// compress returns data compressed, valid until the next call.
func (d *deflater) compress(data []byte) []byte {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(data) // a bytes.Buffer takes everything
	_ = d.w.Close()
	return d.out.Bytes()
}

var inflaters sync.Pool // of io.ReadCloser that is a zlib.Resetter

// inflate is zlib.decompress, up to MaxPayload bytes.
func inflate(data []byte) ([]byte, error) {
	r, err := newInflater(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPayload, err)
	}
	defer inflaters.Put(r)
	plain, err := io.ReadAll(io.LimitReader(r, MaxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPayload, err)
	}
	if len(plain) > MaxPayload {
		return nil, errTooLarge
	}
	return plain, nil
}

func newInflater(src io.Reader) (io.ReadCloser, error) {
	r, ok := inflaters.Get().(io.ReadCloser)
	if !ok {
		return zlib.NewReader(src)
	}
	return r, r.(zlib.Resetter).Reset(src, nil)
}
