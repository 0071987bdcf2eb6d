// Package har reads and writes HTTP Archives, the recordings that the developer tools of browsers and
// debugging proxies save.
//
// [Read] takes from a recording what cookies depend on, and leaves out bodies and all else. It reads as
// it goes, so that a recording with gigabytes of bodies takes the memory of its headers; each limit has a
// number, and an error names line, byte and field.
//
// What cookies did is not decided here: package trace asks a browser.
package har
