// Package file keeps sessions in files, those of Django's backend file.
//
//	store, err := file.Open("/var/lib/shop/sessions", file.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer store.Close()
//	guard, err := lockstep.New(settings, lockstep.Options{Sessions: store})
//
// The folder is Django's SESSION_FILE_PATH. It is named where the store is opened and is no setting of
// a site, which knows no store by name. SESSION_COOKIE_NAME and SESSION_COOKIE_AGE have to be those of
// the site: the first begins the names of the files, and with the second Django counts when a session
// ends.
//
// # A session is a file
//
// Its name is SESSION_COOKIE_NAME and the key, it holds the signed text and nothing else, and has mode
// 0600, so that a Django beside it runs as the same user. No date is stored. A session ends
// SESSION_COOKIE_AGE after its file was changed, or so many seconds after it as its item
// _session_expiry says, or at the moment that this item names: see [session.Expiry]. The time at which
// a file was changed is therefore part of the session: copy files with their times.
//
// # Saving
//
// A file is written under another name, brought to the disk, and takes its place by one rename, so
// that who reads sees the one or the other. Who replaces or removes a file locks it (flock) and
// compares first, so that processes with this package lose nothing to each other.
//
// A Django takes no lock and compares nothing. On Linux the two files are therefore exchanged and what
// came out is looked at: where a Django has saved in the microseconds since the comparison, its file is
// put back, and where it has ended the session, it stays ended. What remains is a Django that saves in
// one of these microseconds and reads again in the next two or three, before its file is back: it goes
// on from what it read. Elsewhere, and on a file system that exchanges no files, what a Django saves
// between comparison and rename is overwritten. The other way round a Django overwrites what it has
// not read, as it does among its own processes.
//
// # What it does not do
//
// Only a-z and 0-9 in keys ever become part of a name, and no name leads out of the folder. It does
// not follow a Django to network file systems without flock. It does not read each file to see
// whether it has expired as clearsessions does: [Store.Purge] reads those that are older than
// SESSION_COOKIE_AGE.
package file
