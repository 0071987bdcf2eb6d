package lesson

// Read reads the text of a scenario file, as New does.
func Read(name, text string) (Scenario, error) {
	e, err := read(name, text)
	return e.Scenario, err
}
