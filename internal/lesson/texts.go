package lesson

import _ "embed" // for the texts

//go:embed texts.json
var texts []byte

// Texts returns the file with all texts of the lab: an object of JSON for each of those who use some, such
// as page and questions.
func Texts() []byte { return texts }
