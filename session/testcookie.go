package session

// The item by which Django tries whether a browser keeps cookies
// (django/contrib/sessions/backends/base.py, TEST_COOKIE_NAME and TEST_COOKIE_VALUE).
const (
	testCookieKey   = "testcookie"
	testCookieValue = "worked"
)

// SetTestCookie puts an item into the session by which a later request sees that the browser kept its
// cookie: Django's set_test_cookie().
func (s *Session) SetTestCookie() error { return s.Set(testCookieKey, testCookieValue) }

// TestCookieWorked reports whether the browser kept the cookie of a session with a test cookie:
// Django's test_cookie_worked().
func (s *Session) TestCookieWorked() bool {
	value, _ := Value[string](s, testCookieKey)
	return value == testCookieValue
}

// DeleteTestCookie takes the item of SetTestCookie away. Unlike Django's delete_test_cookie() it
// accepts that there is none.
func (s *Session) DeleteTestCookie() error { return s.Delete(testCookieKey) }
