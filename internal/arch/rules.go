package arch

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Words of rule IDs that Go's case spells in capitals, and attributes, which are spelled as net/http
// spells them.
var (
	initialisms = []string{
		"acme", "api", "ascii", "ca", "coop", "corp", "cors", "csp", "csrf", "dns", "har", "hsts", "html", "http",
		"https", "id", "idna", "ip", "json", "ok", "sql", "ssl", "tld", "tls", "toml", "uri", "url", "utf8",
	}
	attributes = map[string]string{"samesite": "SameSite", "httponly": "HttpOnly"}
)

var ruleID = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)

// A declared rule is a call of the form rules.Add(rule.Rule{...}) as the source has it.
type declaredRule struct {
	call     *ast.CallExpr
	file     *file
	variable string            // of the package, which holds its ID; "" when there is none
	fields   map[string]string // those that could be read
	unread   []string          // those whose value is not made of constants
}

// rules looks at every rule that a package declares, as written: that it is complete, and that
// somebody who has its ID finds the line that decides by it.
func rules(m *Module) (found []Finding) {
	first := map[string]token.Pos{}
	for _, p := range m.packages {
		for _, r := range m.declaredRules(p) {
			for _, problem := range r.problems() {
				found = append(found, m.at(r.call.Pos(), "%s", problem))
			}
			id := r.fields["ID"]
			if other, taken := first[id]; taken && id != "" {
				found = append(found, m.at(r.call.Pos(), "declares %q, as %s does: an ID is one rule's", id, m.fset.Position(other)))
			}
			first[id] = r.call.Pos()
		}
	}
	return found
}

// problems returns what is wrong with a rule, one sentence each.
func (r *declaredRule) problems() (found []string) {
	id := r.fields["ID"]
	name := "rule " + strconv.Quote(id)
	for _, field := range r.unread {
		found = append(found, name+": its "+field+" is not made of constants, so nobody can read it in the source")
	}
	for _, field := range []string{"ID", "Source", "Sentence", "Fix", "Scenario"} {
		if !slices.Contains(r.unread, field) && strings.TrimSpace(r.fields[field]) == "" {
			found = append(found, name+" has no "+field)
		}
	}
	for _, field := range []string{"Sentence", "Fix"} {
		if text := r.fields[field]; text != "" && !strings.HasSuffix(text, ".") {
			found = append(found, name+": its "+field+" does not end with a full stop")
		}
	}
	if id == "" {
		return found
	}
	switch want := camelCase(id); {
	case !ruleID.MatchString(id):
		found = append(found, name+`: an ID is "question-reason" in lower case, words joined by hyphens`)
	case r.variable == "":
		found = append(found, name+" is not held by a variable of the package: var "+want+" = rules.Add(...)")
	case r.variable != want:
		found = append(found, name+" is held by "+r.variable+": a search for the ID in camel case, "+want+", finds nothing")
	case !r.file.mentions(want, r.call):
		found = append(found, name+" decides nothing in this file: a rule is declared beside the code that decides by it")
	}
	return found
}

// camelCase returns an ID as a Go name: "store-secure-over-http" gives "storeSecureOverHTTP".
func camelCase(id string) string {
	words := strings.Split(id, "-")
	for i, word := range words {
		switch {
		case i == 0 || word == "":
		case attributes[word] != "":
			words[i] = attributes[word]
		case slices.Contains(initialisms, word):
			words[i] = strings.ToUpper(word)
		default:
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// mentions reports whether a file uses a name, not counting the declaration whose value is given.
func (f *file) mentions(name string, declared *ast.CallExpr) (used bool) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && slices.Contains(spec.Values, ast.Expr(declared)) {
			return false
		}
		id, ok := n.(*ast.Ident)
		used = used || ok && id.Name == name
		return !used
	})
	return used
}

// declaredRules returns the rules that a package declares outside of tests.
func (m *Module) declaredRules(p *pkg) (found []declaredRule) {
	constants := constantsOf(p)
	for _, f := range p.sources() {
		holders := map[*ast.CallExpr]string{}
		for _, decl := range f.ast.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.VAR {
				holdersIn(gen, holders)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if literal := m.ruleAdded(f, call); literal != nil {
				r := declaredRule{call: call, file: f, variable: holders[call]}
				r.read(literal, constants)
				found = append(found, r)
			}
			return true
		})
	}
	return found
}

func holdersIn(gen *ast.GenDecl, holders map[*ast.CallExpr]string) {
	for _, spec := range gen.Specs {
		values := spec.(*ast.ValueSpec)
		for i, value := range values.Values {
			if call, ok := value.(*ast.CallExpr); ok && i < len(values.Names) {
				holders[call] = values.Names[i].Name
			}
		}
	}
}

// ruleAdded returns the literal of a call x.Add(rule.Rule{...}), or nil when it is another call.
func (m *Module) ruleAdded(f *file, call *ast.CallExpr) *ast.CompositeLit {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fn.Sel.Name != "Add" || len(call.Args) != 1 {
		return nil
	}
	literal, ok := call.Args[0].(*ast.CompositeLit)
	if !ok {
		return nil
	}
	typ, ok := literal.Type.(*ast.SelectorExpr)
	if !ok || typ.Sel.Name != "Rule" {
		return nil
	}
	from, ok := typ.X.(*ast.Ident)
	if !ok || f.importNames()[from.Name] != m.path+"/rule" {
		return nil
	}
	return literal
}

// read takes the fields from the literal. A scenario that repeats itself too often to be written
// may be made by a function; that it does what it should shows when it is run.
func (r *declaredRule) read(literal *ast.CompositeLit, constants map[string]ast.Expr) {
	r.fields = map[string]string{}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		field := pair.Key.(*ast.Ident).Name
		text, ok := constantText(pair.Value, constants)
		if _, made := pair.Value.(*ast.CallExpr); !ok && !(field == "Scenario" && made) {
			r.unread = append(r.unread, field)
		} else if !ok {
			text = "made when the program starts"
		}
		r.fields[field] = text
	}
}

// constantsOf returns the values of a package's constants by their names.
func constantsOf(p *pkg) map[string]ast.Expr {
	constants := map[string]ast.Expr{}
	for _, f := range p.sources() {
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				values := spec.(*ast.ValueSpec)
				for i, name := range values.Names {
					if i < len(values.Values) {
						constants[name.Name] = values.Values[i]
					}
				}
			}
		}
	}
	return constants
}

// constantText returns the text of an expression made of string literals and constants. What is
// repeated in it stands there once.
func constantText(expr ast.Expr, constants map[string]ast.Expr) (text string, ok bool) {
	switch expr := expr.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(expr.Value)
		return text, err == nil && expr.Kind == token.STRING
	case *ast.ParenExpr:
		return constantText(expr.X, constants)
	case *ast.BinaryExpr:
		left, okLeft := constantText(expr.X, constants)
		right, okRight := constantText(expr.Y, constants)
		return left + right, okLeft && okRight
	case *ast.Ident:
		if value, known := constants[expr.Name]; known {
			return constantText(value, constants)
		}
	case *ast.CallExpr:
		return repeatedText(expr, constants)
	}
	return "", false
}

// repeatedText returns the text of a call of strings.Repeat, which scenarios that are too long for
// something are made with. No text of a rule is checked for its length, so once is enough.
func repeatedText(call *ast.CallExpr, constants map[string]ast.Expr) (text string, ok bool) {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fn.Sel.Name != "Repeat" || len(call.Args) != 2 {
		return "", false
	}
	return constantText(call.Args[0], constants)
}
