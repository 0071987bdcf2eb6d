package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/lockstep-http/lockstep/browser"
	"github.com/lockstep-http/lockstep/internal/form"
	"github.com/lockstep-http/lockstep/internal/trace"
)

// maxPassword is how many bytes of a password are read.
const maxPassword = 4096

// loginFlags are those of a login. A password is no argument: everybody on a machine may read those.
type loginFlags struct {
	Login         string `placeholder:"PATH" help:"Log in with the form of this page, before the last two visits."`
	User          string `placeholder:"NAME" help:"Who logs in. The password is asked for on the terminal."`
	PasswordFile  string `placeholder:"FILE" help:"Read the password from the first line of FILE, - for standard input."`
	Form          string `placeholder:"FORM" help:"The form to log in with, when the page has several: its number, ID, name or the path of its action."`
	UserField     string `placeholder:"NAME" help:"The field for the user, when it is not found by itself."`
	PasswordField string `placeholder:"NAME" help:"The same for the password."`
	Password      string `hidden:""`
}

// credentials asks for what a login needs, if there is to be one at target.
func (l *loginFlags) credentials(ctx context.Context, p *program, target string, insecure bool) (form.Credentials, error) {
	switch {
	case l.Password != "":
		return form.Credentials{}, &usageError{errors.New("a password is no argument: everybody on this machine may read the arguments of a program"), "leave --password out to be asked for it, or give --password-file FILE, - for standard input"}
	case l.Login == "" && *l != (loginFlags{}):
		return form.Credentials{}, &usageError{errors.New("there is no --login to use the other flags for"), "give --login the path of the page with the login form, such as --login /accounts/login/"}
	case l.Login == "":
		return form.Credentials{}, nil
	case !strings.HasPrefix(l.Login, "/") || strings.HasPrefix(l.Login, "//"):
		return form.Credentials{}, &usageError{fmt.Errorf("--login %q is not a path", l.Login), "give a path of the same site, such as --login /accounts/login/"}
	case l.User == "":
		return form.Credentials{}, &usageError{errors.New("--login needs the name of a user"), "give --user NAME"}
	case insecure && !onThisMachine(target):
		return form.Credentials{}, &usageError{errors.New("with --insecure nobody knows who would get the password"), "give the authority of the certificate with --cacert FILE"}
	}
	password, err := l.password(ctx, p, target)
	return form.Credentials{
		User: l.User, Password: password, Form: l.Form, UserField: l.UserField, PasswordField: l.PasswordField,
	}, err
}

func onThisMachine(target string) bool {
	u, err := url.Parse(target)
	return err == nil && browser.SecureConnection(&url.URL{Scheme: "http", Host: u.Host})
}

// password reads the password from the file, or asks for it on the terminal.
func (l *loginFlags) password(ctx context.Context, p *program, target string) (string, error) {
	const hint = "give --password-file FILE, - for standard input, or run it at a terminal to be asked"
	var (
		text []byte
		err  error
	)
	switch l.PasswordFile {
	case "":
		text, err = ask(ctx, p, fmt.Sprintf("Password of %s at %s: ", trace.Printable(l.User), trace.Printable(target)))
	case "-":
		text, err = io.ReadAll(io.LimitReader(p.stdin, maxPassword+1))
	default:
		text, err = readStart(l.PasswordFile)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		return "", &usageError{fmt.Errorf("reading the password: %w", err), hint}
	case err != nil:
		return "", ctx.Err()
	case len(text) > maxPassword:
		return "", &usageError{fmt.Errorf("reading the password: it is longer than %d bytes", maxPassword), hint}
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return "", &usageError{errors.New("reading the password: it is empty"), hint}
	}
	return string(line), nil
}

func readStart(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPassword+1))
}

// ask asks on the terminal, without echo. It gives the terminal back as it was, also when ctx ends.
func ask(ctx context.Context, p *program, question string) ([]byte, error) {
	in, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, errors.New("there is no terminal to ask for it")
	}
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	fmt.Fprint(p.stderr, question)
	defer fmt.Fprintln(p.stderr)
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() { // ends with the program, when nobody answers
		text, err := term.ReadPassword(int(in.Fd()))
		done <- read{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		_ = term.Restore(int(in.Fd()), before) // nothing else can be done about it
		return nil, ctx.Err()
	}
}

// logIn makes the visits of a lesson with a login.
func logIn(ctx context.Context, client *trace.Client, target, path string, as form.Credentials) (trace.Run, error) {
	run, err := client.LoginLesson(ctx, target, path, as)
	var refused *form.LoginError
	switch {
	case err == nil || ctx.Err() != nil:
		return run, err
	case errors.As(err, &refused):
		return run, &failure{fmt.Errorf("logging in at %s: %w", path, err), refused.Hint}
	default:
		return run, &usageError{err, "a URL looks like https://example.com/, and --login like /accounts/login/"}
	}
}
