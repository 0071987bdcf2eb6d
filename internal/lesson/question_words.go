package lesson

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// The words of questions, exercises and of what the lesson has of its own, as texts.json has them.
type vocabulary struct {
	Questions struct {
		Templates map[string]wording `json:"templates"`
		Phrases   map[string]string  `json:"phrases"`
	} `json:"questions"`
	Course struct {
		Visual   map[string]wording `json:"visual"`
		Practice map[string]wording `json:"practice"`
		Snapshot map[string]string  `json:"snapshot"`
		Sample   struct {
			Intro    []string `json:"intro"`
			Settings string   `json:"settings"`
		} `json:"sample"`
	} `json:"course"`
	Exercises struct {
		Each    map[string]task   `json:"each"`
		Goals   map[string]string `json:"goals"`
		Phrases map[string]string `json:"phrases"`
	} `json:"exercises"`
}

// A wording is what is said about a question. Words in braces are filled in.
type wording struct {
	Text     string            `json:"text"`
	Options  map[string]string `json:"options"`
	Because  string            `json:"because"`
	Hints    []string          `json:"hints"`
	Solution []string          `json:"solution"`
	Check    string            `json:"check"`
	Mistakes []string          `json:"mistakes"`
	Key      string            `json:"key"`
}

// A task is what is said about an exercise.
type task struct {
	Title string   `json:"title"`
	Text  []string `json:"text"`
	Hints []string `json:"hints"`
}

// spoken reads the texts once.
var spoken = sync.OnceValues(func() (*vocabulary, error) {
	var v vocabulary
	if err := json.Unmarshal(texts, &v); err != nil {
		return nil, fmt.Errorf("reading the texts of the questions: %w", err)
	}
	return &v, nil
})

// filled puts values in the place of the words in braces: pairs are a word and its value.
func filled(text string, pairs ...string) string {
	if len(pairs) == 0 || !strings.Contains(text, "{") {
		return text
	}
	all := make([]string, len(pairs))
	for i, p := range pairs {
		if all[i] = p; i%2 == 0 {
			all[i] = "{" + p + "}"
		}
	}
	return strings.NewReplacer(all...).Replace(text)
}

func filledAll(lines []string, pairs ...string) []string {
	all := make([]string, len(lines))
	for i, text := range lines {
		all[i] = filled(text, pairs...)
	}
	return all
}
