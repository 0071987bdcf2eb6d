package session

// All returns a copy of every record under its key, for tests.
func (m *Memory) All() map[string]Record {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make(map[string]Record, len(m.records))
	for key, have := range m.records {
		all[key] = copyOf(have.Record)
	}
	return all
}

// FormatMoment is formatMoment for tests.
var FormatMoment = formatMoment
