package sqlite

import (
	"encoding/binary"
	"errors"
	"io"
)

// The write-ahead log, see https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
const (
	walHeaderSize  = 32
	walFrameHeader = 24
	walMagic       = 0x377f0682 // the last bit is the byte order of the checksums
	walVersion     = 3007000
)

// errLog is the damage of a log: commits that were acknowledged are lost, and the database without
// them is what it was earlier, with sessions that were ended since.
var errLog = errors.New("the write-ahead log is damaged")

// checkLog reads a write-ahead log from its beginning and returns errLog when SQLite would leave
// out commits that had reached the disk, which it does in silence.
//
// SQLite reads up to the first frame whose checksum does not hold. What follows is either left
// from an earlier round of the log (other salts), or the last transaction, cut by a power failure,
// which nobody was told had succeeded: at most one commit. With two, an acknowledged one is lost.
// With one, it cannot be told apart, and is taken for a cut.
func checkLog(r io.Reader) error {
	header := make([]byte, walHeaderSize)
	if n, err := io.ReadFull(r, header); err != nil {
		if n == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			return ignoreEOF(err)
		}
		return errLog
	}
	w := walReader{order: binary.LittleEndian}
	if binary.BigEndian.Uint32(header)&1 != 0 {
		w.order = binary.BigEndian
	}
	size := binary.BigEndian.Uint32(header[8:])
	w.sum(header[:24])
	if binary.BigEndian.Uint32(header)&^1 != walMagic || binary.BigEndian.Uint32(header[4:]) != walVersion ||
		size < smallestPage || size > largestPage || size&(size-1) != 0 || !w.holds(header[24:]) {
		return errLog
	}
	return w.frames(r, header[16:24], int(size))
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A walReader carries the checksum of a log on.
type walReader struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (w *walReader) sum(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		w.s0 += w.order.Uint32(b) + w.s1
		w.s1 += w.order.Uint32(b[4:]) + w.s0
	}
}

func (w *walReader) holds(b []byte) bool {
	return binary.BigEndian.Uint32(b) == w.s0 && binary.BigEndian.Uint32(b[4:]) == w.s1
}

// frames reads the frames that carry salts, and counts the commits after one that does not hold.
func (w *walReader) frames(r io.Reader, salts []byte, size int) error {
	frame := make([]byte, walFrameHeader+size)
	broken, lost := false, 0
	for {
		if _, err := io.ReadFull(r, frame); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil // a frame cut short
			}
			return ignoreEOF(err)
		}
		carries := string(frame[8:16]) == string(salts)
		w.sum(frame[:8])
		w.sum(frame[walFrameHeader:])
		if !carries || !w.holds(frame[16:24]) {
			broken = true
		}
		if commit := binary.BigEndian.Uint32(frame[4:]) != 0; broken && carries && commit {
			lost++
		}
		if lost > 1 {
			return errLog
		}
	}
}
