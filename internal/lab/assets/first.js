// Before anything is drawn: there is a script, and which theme the person chose.
"use strict";
document.documentElement.classList.add("js");
try {
  const theme = JSON.parse(localStorage.getItem("lockstep-lab") || "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* progress that cannot be read is as good as none */ }
