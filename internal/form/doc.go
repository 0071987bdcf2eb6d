// Package form reads the forms of an HTML page, fills them in and encodes what is sent, as a browser
// would.
//
// [Parse] reads a page. A [Form] has its controls in document order, whose owner is the form around them
// or the one that their form attribute names; [Form.Set] fills one in, and [Form.Submit] gives the
// method, URL and body of the request.
//
// It follows the HTML standard, section 4.10, for a page that no script has changed. It does not know
// scripts, encodings other than UTF-8, custom elements, files that a person chooses, or the validation
// that a browser does before it sends.
//
// What is filled in may be a password: the package prints no value, and its errors name names only.
package form
