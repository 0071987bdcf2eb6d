package trace

// Decisive are the facts that are put first, by rule.
var Decisive = decisive
