package lesson

import "strconv"

// KeptAfter puts so many runs into what a Library keeps, asking for the first again before each, and returns
// how many are there, and whether the first is.
func KeptAfter(n int) (count int, first bool) {
	var k keptRuns
	for i := range n {
		k.get("0")
		k.put(strconv.Itoa(i), &Run{})
	}
	return k.order.Len(), k.get("0") != nil && len(k.byKey) == k.order.Len()
}
