// What this browser keeps: progress and choices, in localStorage and nowhere else.
import { $, t, notice } from "./dom.js";

const key = "lockstep-lab";
const maxFile = 256 * 1024;
const empty = () => ({ version: 1, theme: "", keys: true, answered: {}, solved: {}, tests: [] });

let kept = empty();

/** Takes of a value what has the form of progress. */
function sound(value) {
  const from = Object(value);
  const flags = (all) => Object.fromEntries(Object.entries(Object(all)).slice(0, 2000).map(([id, yes]) => [id.slice(0, 100), Boolean(yes)]));
  const tests = Array.isArray(from.tests) ? from.tests.slice(-50) : [];
  return {
    version: 1, theme: ["light", "dark"].includes(from.theme) ? from.theme : "", keys: from.keys !== false,
    answered: flags(from.answered), solved: flags(from.solved),
    tests: tests.map((one) => ({ seed: Number(one?.seed) || 0, strong: flags(one?.strong) })),
  };
}

export function load() {
  try {
    kept = sound(JSON.parse(localStorage.getItem(key) || "{}"));
  } catch {
    kept = empty();
  }
  return kept;
}

/** Changes what is kept. A browser that keeps nothing goes on without. */
export function keep(change) {
  change(kept);
  try { localStorage.setItem(key, JSON.stringify(kept)); } catch { /* it holds until the page is closed */ }
  tell();
}

export const progress = () => kept;

function tell() {
  const right = Object.values(kept.answered).filter(Boolean).length;
  const solved = Object.values(kept.solved).filter(Boolean).length;
  $("progress").textContent = t("progress", right, solved, kept.tests.length);
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(kept, null, 2)], { type: "application/json" }));
  link.download = "lockstep-lab.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function take(input) {
  const file = input.files[0];
  input.value = "";
  if (!file) return;
  try {
    if (file.size > maxFile) throw new Error("long");
    const value = JSON.parse(await file.text());
    if (value?.version !== 1) throw new Error("version");
    keep(() => { kept = sound(value); });
  } catch {
    notice(Object.assign(new Error(t("import-bad")), { hint: t("import-hint") }));
  }
}

/** Makes the two controls for a file of progress work. */
export function controls() {
  $("export").addEventListener("click", save);
  $("import").addEventListener("change", (event) => take(event.target));
  tell();
}
