// A link holds everything. What it holds stands in the fragment, which no browser sends to a server.
//
//   #v1;scenario=lesson;step=3;view=quiz;profile=firefox;set.SECURE_SSL_REDIRECT=False

const version = "v1";
const maxFragment = 4000;
export const views = ["flow", "code", "table", "tracker", "moments", "quiz", "snapshot", "transcript", "practice", "test", "own"];

/** @returns the state that says nothing. */
export const blank = () => ({
  scenario: "", switches: {}, profile: "", step: 0, view: "flow", seed: 0, lane: null, teach: false, exercise: "",
});

const whole = (text, most) => {
  const n = Number(text);
  return Number.isInteger(n) && n >= 0 && n <= most ? n : 0;
};

const readers = {
  scenario: (s, v) => { s.scenario = v; },
  profile: (s, v) => { s.profile = v; },
  step: (s, v) => { s.step = whole(v, 1000); },
  seed: (s, v) => { s.seed = whole(v, 2 ** 32 - 1); },
  view: (s, v) => { if (views.includes(v)) s.view = v; },
  lane: (s, v) => { s.lane = v === "1"; },
  teach: (s, v) => { s.teach = v === "1"; },
  exercise: (s, v) => { s.exercise = v; },
};

/** Reads a fragment. What is no link of ours gives the defaults and a problem, the key of a text. */
export function parse(fragment) {
  const state = blank();
  if (fragment === "" || fragment === "#" || fragment === "#main") return { state };
  if (fragment.length > maxFragment) return { state, problem: "link-long" };
  const [head, ...parts] = fragment.slice(1).split(";");
  if (head !== version) return { state, problem: /^v\d+$/.test(head) ? "link-version" : "link-garbage" };
  let problem;
  for (const part of parts) {
    const cut = part.indexOf("=");
    const name = part.slice(0, Math.max(cut, 0));
    try {
      const value = decodeURIComponent(part.slice(cut + 1));
      if (name.startsWith("set.")) state.switches[name.slice(4)] = value;
      else if (Object.hasOwn(readers, name)) readers[name](state, value);
      else problem = "link-part";
    } catch {
      problem = "link-part";
    }
  }
  return { state, problem };
}

/** Writes a state as a fragment. */
export function format(state) {
  const parts = [version];
  const add = (name, value) => parts.push(`${name}=${encodeURIComponent(value)}`);
  if (state.scenario) add("scenario", state.scenario);
  if (state.step) add("step", state.step);
  if (state.view !== "flow") add("view", state.view);
  if (state.profile) add("profile", state.profile);
  if (state.seed) add("seed", state.seed);
  if (state.lane !== null) add("lane", state.lane ? 1 : 0);
  if (state.teach) add("teach", 1);
  if (state.exercise) add("exercise", state.exercise);
  for (const name of Object.keys(state.switches).sort()) add(`set.${name}`, state.switches[name]);
  return `#${parts.join(";")}`;
}
