package file

// Interrupt has f called between comparing and replacing, when a program that takes no lock may save.
func (s *Store) Interrupt(f func()) { s.interrupted = f }

// WithoutExchange has the store do without exchanging files.
func (s *Store) WithoutExchange() { s.noExchange.Store(true) }

// Name and IsNamePart are what becomes of keys and cookie names.
func (s *Store) Name(key string) (string, bool) { return s.name(key) }

var IsNamePart = isNamePart
