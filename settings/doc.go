// Package settings loads [lockstep.Settings] from files, from the environment, from assignments on a
// command line and from a Django project, and tells of every value where it came from.
//
// Settings are called by Django's names everywhere:
//
//	SECURE_SSL_REDIRECT = true                  in TOML
//	LOCKSTEP_SECURE_SSL_REDIRECT=true           in the environment
//	SECURE_SSL_REDIRECT=True                    as an assignment, with Python's literals
//
// # Loading
//
// [Load] starts from a base, such as [lockstep.DjangoDefaults], and lays sources over it in the
// order given, so that the later one wins. All mistakes are found at once and joined, each with
// its place: a name that is no setting (with the nearest one that is), a value of another type.
// Whether values make sense together is checked by [lockstep.New], whose errors
// [Origins.Locate] marks with the places of the values.
//
// # Django's own
//
// [ReadDiffsettings] reads what "python manage.py diffsettings" prints of a project, of any Django
// from 2.2 to 6.1. A [Project] keeps every setting with its line, those that Lockstep has no field
// for included, and is a source of the others; [WriteTOML] writes settings down.
//
// # None
//
// Python's None turns some settings off. TOML has no such word: there, false stands for it, and
// so does an empty string for settings that are strings.
//
// # What it does not do
//
// It opens no files and reads no environment: their contents are arguments. It prints no
// secrets: [Format] and [Value.String] write '…' for them, and errors leave them out; [WriteTOML]
// and [Literal] write what they are given.
package settings
