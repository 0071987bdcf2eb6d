package arch

import (
	"go/ast"
	"go/constant"
	"go/token"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Constant is a constant of a package, outside of tests, whose value is a whole number.
type Constant struct {
	Dir      string // of the package, relative to the module's root
	Name     string
	Value    int64
	Duration bool // it is a time.Duration
}

// Constants returns the constants of the module that are whole numbers, packages in the order of their
// folders. One whose value cannot be computed from literals, the constants of its package and those
// of package time is left out.
func (m *Module) Constants() (all []Constant) {
	for _, p := range m.packages {
		known := constantsOf(p)
		names := make([]string, 0, len(known))
		for name := range known {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			e := evaluation{known: known}
			value := constant.ToInt(e.of(known[name]))
			if n, exact := constant.Int64Val(value); value.Kind() == constant.Int && exact {
				all = append(all, Constant{p.dir, name, n, e.duration})
			}
		}
	}
	return all
}

// deepest is how far constants may refer to each other.
const deepest = 100

// An evaluation computes one constant.
type evaluation struct {
	known    map[string]ast.Expr
	depth    int
	duration bool // it refers to package time
}

var elsewhere = map[string]int64{
	"time.Nanosecond": int64(time.Nanosecond), "time.Microsecond": int64(time.Microsecond),
	"time.Millisecond": int64(time.Millisecond), "time.Second": int64(time.Second),
	"time.Minute": int64(time.Minute), "time.Hour": int64(time.Hour),
	"math.MaxInt64": math.MaxInt64, "math.MaxInt32": math.MaxInt32,
}

// of returns the value of an expression, or an unknown one.
func (e *evaluation) of(expr ast.Expr) constant.Value {
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > deepest {
		return constant.MakeUnknown()
	}
	switch x := expr.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(x.Value, x.Kind, 0)
	case *ast.ParenExpr:
		return e.of(x.X)
	case *ast.Ident:
		if value, ok := e.known[x.Name]; ok {
			return e.of(value)
		}
	case *ast.SelectorExpr:
		if from, ok := x.X.(*ast.Ident); ok {
			if n, ok := elsewhere[from.Name+"."+x.Sel.Name]; ok {
				e.duration = e.duration || from.Name == "time"
				return constant.MakeInt64(n)
			}
		}
	case *ast.BinaryExpr:
		return combined(e.of(x.X), x.Op, e.of(x.Y))
	}
	return constant.MakeUnknown()
}

// combined is a op b for numbers.
func combined(a constant.Value, op token.Token, b constant.Value) constant.Value {
	a, b = constant.ToInt(a), constant.ToInt(b)
	if a.Kind() != constant.Int || b.Kind() != constant.Int {
		return constant.MakeUnknown()
	}
	switch op { //nolint:exhaustive // the rest of the tokens is no arithmetic
	case token.SHL, token.SHR:
		if bits, ok := constant.Uint64Val(b); ok && bits < 63 {
			return constant.Shift(a, op, uint(bits))
		}
	case token.ADD, token.SUB, token.MUL:
		return constant.BinaryOp(a, op, b)
	case token.QUO, token.REM:
		if constant.Sign(b) != 0 {
			return constant.BinaryOp(a, map[token.Token]token.Token{token.QUO: token.QUO_ASSIGN, token.REM: token.REM}[op], b)
		}
	}
	return constant.MakeUnknown()
}

// String is the value for a person: a number with commas between its thousands, a duration in the
// largest units that it fills.
func (c Constant) String() string {
	if !c.Duration {
		return thousands(c.Value)
	}
	d := time.Duration(c.Value)
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return thousands(int64(d/day)) + " days"
	case d%time.Hour == 0:
		return counted(int64(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return counted(int64(d/time.Minute), "minute")
	case d%time.Second == 0:
		return counted(int64(d/time.Second), "second")
	}
	return d.String()
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	digits := strconv.FormatInt(n, 10)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}
