// Package sqlite keeps sessions in an SQLite database, in the table that Django keeps them in.
//
//	store, err := sqlite.Open(ctx, "/var/lib/shop/sessions.db", sqlite.Options{Logger: logger})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer store.Close()
//	guard, err := lockstep.New(settings, lockstep.Options{Sessions: store})
//
// # Whose file
//
// [Open] makes a file that is not there, with mode 0600, and stamps it: application_id and
// user_version in its header, and a table lockstep_store. It keeps it in WAL mode.
//
// A database without that stamp is a Django project's. It needs the table django_session
// (`python manage.py migrate`) and is used as it is: not stamped, not moved, its journal mode kept.
// Both may use it at the same time; Django with USE_TZ = True, since it writes local times without,
// which nobody else can read.
//
// A Django may use a file made here as well, with a DATABASES entry of its own and
// `migrate --fake-initial`. In a file in which there are tables of others, nothing below that moves
// the file is done.
//
// # What is acknowledged is on the disk
//
// A save that was answered survives the end of the process and of the power: synchronous is FULL.
// One goroutine writes. Those who save while a transaction reaches the disk share the next, up to
// 256, so that many saves cost few waits; each gets the answer to its own. Reads have connections of
// their own and wait for nobody in WAL mode. The log is written back as it grows, and cut when it is
// beyond 16 MiB. What is deleted is overwritten.
//
// # What becomes of damage
//
// SQLite does not see a flipped byte in a value, and takes an empty file for an empty database. So a
// row made here carries a checksum over key, data and date, in the column lockstep_sum after
// Django's own. A trigger takes the sum from a row that a Django changes, and one that a Django
// inserts has none; such rows are as good as Django's signature on their data. A row is found
// through the index and its key then read in the row itself, and compared: what was stored under
// one key never answers for another.
//
//   - A row whose sum does not hold is removed and reported, and answered as a miss: its user logs
//     in again. A date that cannot be read has passed.
//   - A page that cannot be read, an index that leads to the wrong row, a stamp or a table that is
//     not what was made: the call is answered with an error. The file is then set aside, under its
//     name with .damaged- and the time, with its log; nothing is deleted. A new file is made and has
//     the rows whose sum holds, which are all but those of the damaged page, and without those last
//     written by a Django. This happens while the store runs, and at Open, which reads files up to
//     16 MiB whole.
//   - A write-ahead log from which acknowledged commits are missing, or one beside no database: the
//     same, and nothing is carried over, because a session that was ended since would come back. The
//     very last commit of a log cannot be told from one that a power failure cut, and is taken for it.
//   - An empty file is one to begin with, and is reported.
//   - While another program has the file open, it is not moved; calls are answered with the error.
//   - A file that SQLite cannot read and that has no trace of a stamp is not ours and not touched.
//
// The checksum is not keyed. It is there against disks; who can write to the file can leave the
// checksum out, and against them there is the signature of the session.
//
// # What becomes of other trouble
//
//   - No room on the disk: reads go on, and a save is an error, until there is room again.
//   - Locked by another process: a call waits for 5 seconds or until its context is done, and is
//     then an error.
//   - Read-only, a folder, not a database, made by a later version: Open is an error that says so.
//
// # What it does not do
//
// It serves one machine: SQLite's locks do not work on network file systems. It makes no backups.
package sqlite
