// The page: one state, which the link holds; one run, which the server made of it; and what shows them.
import { $, t, el, fill, button, code, paragraphs, list, copy, say, ask, notice, useTexts } from "./dom.js";
import { blank, parse, format, views } from "./link.js";
import { load, keep, progress, controls } from "./keep.js";
import * as show from "./show.js";
import * as asking from "./ask.js";
import { own, useOwn } from "./own.js";

let library;
let state = blank();
let shown = null; // {run, base, changes}
let before = null; // the state to go back to
let from = null; // what was used to leave it
let pending = null; // the request that is under way
let playing = 0;
let course = null;

const playEvery = 2200;
const scenario = () => library.scenarios.find((s) => s.name === state.scenario);
const switches = () => switchesOf(scenario());
const setup = () => ({ scenario: state.scenario, switches: state.switches, profile: state.profile });

/** @returns the switches as a scenario has them, those worth turning there first. */
function switchesOf({ name, switches: telling }) {
  const place = (s) => ((telling || []).indexOf(s.name) + 1) || 1000;
  return library.switches.map((s) => ({ ...s, default: library.defaults[name]?.[s.name] ?? s.default })).sort((a, b) => place(a) - place(b));
}

const exerciseNow = () => library.exercises.find((e) => e.id === state.exercise);
const steps = () => shown?.run.steps || [];

// State and link.

/** Drops from a state what this lab does not have, and says whether it did. */
function mend(s) {
  let whole = true;
  const drop = () => { whole = false; };
  const home = document.body.dataset.scenario;
  if (s.scenario && !library.scenarios.some((one) => one.name === s.scenario)) { drop(); s.scenario = ""; s.switches = {}; }
  const e = !s.scenario && library.exercises.find((one) => one.id === s.exercise);
  if (e) { s.scenario = e.setup.scenario || ""; s.switches = { ...e.setup.switches, ...s.switches }; }
  s.scenario ||= home;
  const all = switchesOf(library.scenarios.find((one) => one.name === s.scenario));
  for (const [name, value] of Object.entries(s.switches)) {
    const known = all.find((one) => one.name === name);
    if (!known?.values.some((v) => v.value === value)) { drop(); delete s.switches[name]; }
    else if (value === known.default) delete s.switches[name];
  }
  if (s.profile && !library.profiles.includes(s.profile)) { drop(); s.profile = ""; }
  if (s.exercise && !library.exercises.some((e) => e.id === s.exercise)) { drop(); s.exercise = ""; }
  return whole;
}

const write = () => history.replaceState(null, "", format(state));

function follow() {
  const { state: next, problem } = parse(location.hash);
  const whole = mend(next);
  state = next;
  before = null;
  fill($("test-body"));
  notice((problem || !whole) && Object.assign(new Error(t(problem || "link-part")), { hint: t("link-hint") }));
  enter(state.step > 0);
}

// Running.

/** Runs what the state says; a newer run takes the place of one under way. */
async function fetchRun() {
  pending?.abort();
  pending = new AbortController();
  document.body.classList.add("busy");
  try {
    return telling(await ask("/api/run", setup(), pending.signal));
  } finally {
    document.body.classList.remove("busy");
  }
}

/** Leaves out of the differences the variables that are details, where there is anything else. */
function telling(found) {
  const details = (found.run.tracker || []).filter((v) => v.detail).map((v) => v.name);
  const rest = found.changes?.filter((c) => !details.includes(c.column));
  return rest?.length ? { ...found, changes: rest } : found;
}

/** Begins a scenario: with a prediction, or, when it was seen or a link leads into it, with the run. */
async function enter(seen) {
  stop();
  controlsOf();
  viewOf();
  hide(!seen);
  try {
    const exercise = exerciseNow();
    if (seen || exercise || state.view !== "flow") {
      $("predict").hidden = true;
      await rerun(false);
      return;
    }
    const questions = await ask("/api/predict", setup());
    if (!questions?.length) { await reveal(null); return; }
    $("predict").hidden = false;
    asking.predict($("predict-body"), questions, reveal);
  } catch (error) {
    notice(error);
    if (error.name !== "AbortError") await reveal(null).catch(notice);
  }
}

/** Runs after the prediction, and compares. */
async function reveal(answers) {
  shown = await fetchRun();
  draw();
  hide(false);
  leadOn(answers);
  go(1, false);
  if (answers) focusOn("predict-title");
}

/** Says what was right, and offers one thing to change, under which is predicted again. */
function leadOn(answers) {
  const changes = possible();
  $("predict").hidden = !answers && !changes.length;
  asking.compared($("predict-body"), answers, changes, (c) => {
    state.switches = { ...state.switches, [c.name]: c.value };
    if (c.value === c.usual) delete state.switches[c.name];
    state.step = 0;
    write();
    enter(false).then(() => focusOn("predict-title"));
  });
}

/** @returns one thing to change, of each of the most telling switches. */
function possible() {
  return (scenario().switches || []).slice(0, 3).flatMap((name) => {
    const s = switches().find((one) => one.name === name);
    const next = s?.values.find((v) => v.value !== (state.switches[name] ?? s.default));
    return next ? [{ name, label: s.label, value: next.value, to: next.label, usual: s.default }] : [];
  });
}

/** Runs anew under the state, and keeps the step. */
async function rerun(announce) {
  try {
    shown = await fetchRun();
  } catch (error) {
    notice(error);
    return;
  }
  draw();
  hide(false);
  go(state.step, false, true);
  if (announce) say(asBegun() || !shown.base ? t("as-it-is") : shown.changes.length ? t("changes", shown.changes.length) : t("difference-none"));
}

// Drawing.

function hide(veiled) {
  const apart = state.view === "test" || state.view === "own";
  $("run").hidden = veiled || apart || !shown;
}

/** @returns what is turned where the exercise, or the scenario, begins. */
function begun() {
  const given = Object.entries(exerciseNow()?.setup.switches || {});
  return Object.fromEntries(given.filter(([name, value]) => switches().find((s) => s.name === name)?.default !== value));
}

/** Whether nothing is turned yet that was not from the beginning. */
function asBegun() {
  const was = begun();
  return Object.keys(was).length === Object.keys(state.switches).length && Object.keys(was).every((name) => was[name] === state.switches[name]);
}

function draw() {
  const { run } = shown;
  const given = Boolean(state.exercise) && asBegun(); // there is nothing to compare yet
  const changes = given ? [] : shown.changes;
  show.writeDifference(shown, given);
  show.drawFlow(run, lane());
  show.writeTable(run, changes);
  show.writeTracker(run, $("all").checked);
  show.writeMoments(run);
  $("slider").max = String(run.steps.length);
  $("took").textContent = t("took", Math.round(run.took * 10) / 10, run.steps.length);
  if (state.view === "snapshot" || state.view === "transcript") panels[state.view]();
}

const lane = () => state.lane ?? Boolean(scenario().attacker);

/** Goes to a step: everything shows it, and it is said once. */
function go(step, focus, silent) {
  if (!shown) return;
  state.step = Math.min(Math.max(step, 1), steps().length);
  const now = steps()[state.step - 1];
  show.writeNow(now, lane());
  $("now-title").textContent = now.title ? t("now-titled", state.step, now.title) : t("step-n", state.step);
  $("place").textContent = t("place", state.step, steps().length);
  $("slider").value = String(state.step);
  $("slider").setAttribute("aria-valuetext", t("place-told", state.step, steps().length, now.action));
  for (const [id, off] of [["first", state.step === 1], ["prev", state.step === 1], ["next", state.step === steps().length], ["last", state.step === steps().length]]) $(id).setAttribute("aria-disabled", String(off));
  if (!silent) say(t("said", state.step, steps().length, now.say || now.result));
  show.light(state.step, silent); // last, for it measures
  write();
  if (focus) {
    $("run").hidden = false;
    $("now-title").focus();
    $("now-title").scrollIntoView({ block: "center" });
  }
}

async function openRule(id) {
  const dialog = $("rule");
  try {
    const rule = shown?.run.rules?.find((r) => r.id === id) || await ask(`/api/rule/${encodeURIComponent(id)}`);
    const found = (steps()[state.step - 1]?.verdicts || []).filter((v) => v.rule === id && v.facts?.length);
    fill($("rule-title"), code(rule.id));
    fill($("rule-body"), el("p.sentence", null, rule.sentence),
      el("dl.two", null, rule.fix && [el("dt", null, t("fix")), el("dd", null, rule.fix)], el("dt", null, t("source")), el("dd", null, rule.source)),
      found.length > 0 && [el("h3", null, t("facts", state.step)), found.map((v) => show.facts(v.facts))]);
    dialog.showModal();
  } catch (error) {
    notice(error);
  }
}

// What if.

function turn(name, value) {
  const s = switches().find((one) => one.name === name);
  state.switches = { ...state.switches, [name]: value };
  if (value === s.default) delete state.switches[name];
  $("reset").hidden = asBegun();
  notice();
  if ($("run").hidden && !$("predict").hidden && !shown) { // nothing was run yet: predict under this
    state.step = 0;
    write();
    enter(false);
    return;
  }
  if (state.view in sections && !state.exercise) leadOn(null);
  rerun(true);
}

const isFlag = (s) => s.values.length === 2 && s.values.every((v) => v.value === "True" || v.value === "False");

function control(s) {
  const value = state.switches[s.name] ?? s.default;
  const id = `set-${s.name}`;
  const about = el("span.about", { id: `${id}-about` }, s.about);
  const name = s.name === s.name.toUpperCase() && el("code.name", null, s.name);
  if (isFlag(s)) {
    return el("div.switch", null, el("label.check", null,
      el("input", { type: "checkbox", id, "aria-describedby": `${id}-about`, checked: value === "True", onchange: (e) => turn(s.name, e.target.checked ? "True" : "False") }),
      el("span", null, s.label)), name, about);
  }
  return el("div.switch", null, el("label", { for: id }, s.label),
    el("select", { id, "aria-describedby": `${id}-about`, onchange: (e) => turn(s.name, e.target.value) },
      s.values.map((v) => el("option", { value: v.value, selected: v.value === value }, v.label))), name, about);
}

/** Whether the page is about no one scenario, as in a test, but while a run is looked at from there. */
const general = () => state.view === "practice" || state.view === "own" || state.view === "test" && !before;

/** Calls the page after the view or after the scenario, whichever it is about. */
function titleOf() {
  const title = general() ? t(`view-${state.view}`) : scenario().title;
  $("title").textContent = title;
  document.title = `${title} · ${t("title")}`;
}

/** Where a view begins. */
const headOf = (view) => sections[view] || ($(`${view}-title`) ? `${view}-title` : "title");

function controlsOf() {
  const exercise = exerciseNow();
  const telling = exercise?.kind === "settings" ? exercise.switches || [] : scenario().switches || [];
  const first = switches().filter((s) => telling.includes(s.name));
  const rest = exercise?.kind === "settings" ? [] : switches().filter((s) => !telling.includes(s.name));
  const open = rest.some((s) => s.name in state.switches);
  fill($("switches"), first.map(control), rest.length > 0 && el("details", { open }, el("summary", null, t("more-switches", rest.length)), rest.map(control)));
  $("reset").hidden = asBegun();
  $("scenario").value = state.scenario;
  $("profile").value = state.profile;
  titleOf();
  fill($("intro"), paragraphs(scenario().intro));
  $("lane").setAttribute("aria-pressed", String(lane()));
  $("teach").setAttribute("aria-pressed", String(state.teach));
  document.body.classList.toggle("teach", state.teach);
  $("back").hidden = !before;
}

// Views.

async function getCourse() {
  course ??= await ask("/api/lesson");
  return course;
}

const panels = {
  async code() {
    const { sample } = await getCourse();
    const block = (title, text) => el("figure", null, el("figcaption", null, title), el("pre", { tabindex: "0", role: "group", "aria-label": title }, text));
    fill($("code-body"), paragraphs(sample.intro), el("div.beside", null, block(t("python"), sample.python), block(t("go"), sample.go)), block(t("settings-do"), sample.settings));
  },
  async quiz() {
    fill($("quiz-body"), el("p", null, t("working")));
    const own = state.scenario === library.scenarios[0].name && !Object.keys(state.switches).length ? (await getCourse()).visual : [];
    const more = await ask("/api/quiz", setup());
    fill($("quiz-body"), own?.length > 0 && [el("h3", null, t("quiz-own")), el("ol.questions", null, own.map((q) => el("li", null, asking.question(q))))],
      more?.length > 0 && [own?.length > 0 && el("h3", null, t("quiz-more")), asking.byGrade(more, !own?.length)]);
  },
  async snapshot() {
    const { snapshot } = await getCourse();
    fill($("snapshot-body"), list(snapshot, "ol"), shown && [el("h3", null, t("settings")), show.settingsList(shown.run), show.shortTable(shown.run)],
      el("p.acts", null, button(t("print"), () => window.print())));
  },
  transcript() {
    if (!shown) return;
    const text = show.transcriptText(shown.run);
    const copying = button(t("copy"), () => copy(copying, text));
    fill($("transcript-body"), el("p.acts", null, copying), paragraphs(shown.run.transcript), el("h3", null, t("settings")), show.settingsList(shown.run),
      el("details", null, el("summary", null, t("file")), el("pre", { tabindex: "0", role: "group", "aria-label": t("file") }, scenario().text)));
  },
  async practice() {
    const e = exerciseNow();
    if (e) {
      asking.exercise($("practice-body"), e, () => leaveExercise());
      return;
    }
    const questions = state.scenario === library.scenarios[0].name ? (await getCourse()).practice : [];
    asking.practiceList($("practice-body"), library.exercises, questions || [], openExercise);
  },
  test() {
    if ($("test-body").hasChildNodes()) return; // what is under way, or the review
    asking.test($("test-body"), state.seed || 1 + Math.floor(Math.random() * 9999), (seed) => { state.seed = seed; write(); });
  },
  own() { own($("own-body")); },
};

const sections = { flow: "flow-title", table: "table-title", tracker: "tracker-title", moments: "moments-title" };

/** Shows the panel of the view, above the run; parts of the run itself have none. */
function viewOf() {
  for (const b of document.querySelectorAll(".ways button")) {
    if (b.dataset.view === state.view) {
      b.setAttribute("aria-current", "true");
      const nav = b.closest("nav");
      nav.scrollLeft = b.offsetLeft - nav.clientWidth / 2 + b.clientWidth / 2;
    } else b.removeAttribute("aria-current");
  }
  for (const name of views) if (panels[name]) $(name).hidden = name !== state.view;
  document.body.dataset.view = state.view;
  titleOf();
  $("intro").hidden = !(state.view in sections);
  if (!(state.view in sections)) $("predict").hidden = true;
  Promise.resolve(panels[state.view]?.()).catch(notice);
}

function look(view) {
  if (state.exercise && view !== "practice") state.exercise = "";
  state.view = view;
  write();
  viewOf();
  controlsOf();
  if (!shown && view !== "test" && view !== "own" && !(view in sections)) { rerun(false).then(() => { hide(false); panels[view]?.(); }); }
  hide(!shown);
  if ($("run").hidden && view in sections) { // nothing was run yet: the prediction comes first
    $("predict").hidden = false;
    focusOn("predict-title");
    return;
  }
  focusOn(headOf(view));
}

/** Gives a heading the focus, at the top of the window. */
function focusOn(id) {
  const title = $(id);
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
  title.scrollIntoView({ block: "start" });
}

function openExercise(id) {
  const e = library.exercises.find((one) => one.id === id);
  Object.assign(state, blank(), { view: "practice", teach: state.teach, exercise: id, scenario: e.setup.scenario || library.scenarios[0].name, switches: { ...e.setup.switches }, profile: e.setup.profile || "" });
  before = null;
  mend(state);
  write();
  enter(true).then(() => $("exercise-title")?.focus());
}

function leaveExercise() {
  state.exercise = "";
  write();
  enter(true).then(() => focusOn("title"));
}

/** Shows another run, and remembers the one to go back to. */
async function showSetup(other, step) {
  const mine = JSON.parse(JSON.stringify(state));
  const next = { ...state, scenario: other.scenario || library.scenarios[0].name, switches: { ...other.switches }, profile: other.profile || "" };
  mend(next);
  const same = JSON.stringify([next.scenario, next.switches, next.profile]) === JSON.stringify([state.scenario, state.switches, state.profile]);
  if (!before && (!same || state.view === "test")) {
    before = mine;
    from = document.activeElement;
  }
  state = next;
  controlsOf();
  if (!same || !shown) await rerun(false);
  $("run").hidden = false;
  $("back-text").textContent = t("back-text", scenario().title);
  $("back-go").textContent = t(state.view === "test" ? "back-review" : "back-go");
  const apart = state.view === "test"; // there the run takes the place of the review
  $("test").hidden = true;
  go(step, !apart);
  if (apart) focusOn("title");
}

function goBack() {
  if (!before) return;
  const stayed = before.view === state.view; // what is answered there stays as it is
  state = before;
  before = null;
  controlsOf();
  if (!stayed) viewOf();
  $("test").hidden = state.view !== "test";
  rerun(false).then(() => {
    if (!stayed || !from?.isConnected) { focusOn(headOf(state.view)); return; }
    from.focus({ preventScroll: true });
    from.scrollIntoView({ block: "center" });
  });
}

// Transport.

function stop() {
  clearInterval(playing);
  playing = 0;
  $("play").setAttribute("aria-pressed", "false");
  $("play").textContent = t("play");
}

function play() {
  if (playing) { stop(); return; }
  if (state.step >= steps().length) go(1);
  $("play").setAttribute("aria-pressed", "true");
  $("play").textContent = t("pause");
  playing = setInterval(() => {
    go(state.step + 1);
    if (state.step >= steps().length) stop();
  }, playEvery);
}

const moves = {
  first: () => go(1), prev: () => state.step > 1 && go(state.step - 1),
  next: () => state.step < steps().length && go(state.step + 1), last: () => go(steps().length), play,
};
const keysFor = { Home: "first", ArrowLeft: "prev", k: "prev", ArrowRight: "next", j: "next", End: "last", " ": "play" };

/** Whether a key belongs to what has the focus. */
function taken(event) {
  const on = event.target;
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return true;
  if (on.closest("input, select, textarea, [contenteditable]")) return true;
  if (event.key === " " && on.closest("button, summary, a")) return true;
  return on.matches?.("[role=group]") && event.key.startsWith("Arrow") && on.scrollWidth > on.clientWidth;
}

function pressed(event) {
  const name = keysFor[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (event.key === "?" && progress().keys && !taken(event)) { $("help").showModal(); return; }
  if (!name || !progress().keys || $("run").hidden || taken(event)) return;
  event.preventDefault();
  moves[name]();
}

function wireTransport() {
  for (const id of Object.keys(moves)) $(id).addEventListener("click", () => { if (id !== "play") stop(); moves[id](); });
  $("slider").addEventListener("input", () => { stop(); go(Number($("slider").value)); });
  document.addEventListener("keydown", pressed);
}

// Header.

const themes = ["", "light", "dark"];

function theme() {
  const { theme } = progress();
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = t(`theme-${theme || "auto"}`);
}

function wireHeader() {
  fill($("scenario"), library.scenarios.map((s) => el("option", { value: s.name }, s.title)));
  fill($("profile"), el("option", { value: "" }, t("profile-usual")), library.profiles.map((p) => el("option", { value: p }, t(`profile-${p}`))));
  $("scenario").addEventListener("change", () => {
    Object.assign(state, blank(), { scenario: $("scenario").value, profile: state.profile, teach: state.teach });
    shown = null;
    before = null;
    notice();
    write();
    enter(false);
  });
  $("profile").addEventListener("change", () => {
    state.profile = $("profile").value;
    write();
    if (shown) rerun(true);
    else enter(false);
  });
  $("theme").addEventListener("click", () => { keep((k) => { k.theme = themes[(themes.indexOf(k.theme) + 1) % themes.length]; }); theme(); });
  $("link").addEventListener("click", () => copy($("link"), location.href));
  $("teach").addEventListener("click", () => { state.teach = !state.teach; write(); controlsOf(); viewOf(); if (shown) show.light(state.step, true); });
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("keys").checked = progress().keys;
  $("keys").addEventListener("change", () => keep((k) => { k.keys = $("keys").checked; }));
  fill($("help-body"), paragraphs([t("help-about"), t("help-order")]), el("h3", null, t("help-keys")),
    el("dl.two", null, [["Home", "first"], ["← K", "prev"], ["→ J", "next"], ["End", "last"], [t("space"), "play"], ["?", "help"]].map(([key, what]) => [el("dt", null, el("kbd", null, key)), el("dd", null, t(what))])));
  for (const b of document.querySelectorAll("[data-close]")) b.addEventListener("click", () => b.closest("dialog").close());
  theme();
}

function wireRun() {
  $("lane").addEventListener("click", () => {
    state.lane = !lane();
    $("lane").setAttribute("aria-pressed", String(lane()));
    draw();
    go(state.step, false, true);
  });
  $("all").addEventListener("change", () => { show.writeTracker(shown.run, $("all").checked); show.light(state.step); });
  $("reset").addEventListener("click", () => {
    state.switches = begun();
    controlsOf();
    $("whatif").querySelector("summary").focus();
    rerun(true);
  });
  $("back-go").addEventListener("click", goBack);
  for (const b of document.querySelectorAll(".ways button")) b.addEventListener("click", () => look(b.dataset.view));
  $("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
}

/** On a narrow screen the steps come before the drawing. */
function arrange() {
  const narrow = matchMedia("screen and (max-width: 48rem)");
  const place = () => {
    if (narrow.matches) $("moments").before($("flow"));
    else $("transport").before($("flow"));
    $("whatif").open = !narrow.matches;
  };
  narrow.addEventListener("change", place);
  place();
}

async function start() {
  useTexts(await (await fetch("/texts.json")).json());
  load();
  library = await ask("/api/library");
  show.useActs({ go: (step, focus) => { stop(); go(step, focus); }, rule: openRule });
  asking.useAsking({
    show: showSetup, state: () => state, first: () => library.scenarios[0].name,
    title: (name) => library.scenarios.find((s) => s.name === (name || library.scenarios[0].name))?.title || name,
    scenario: (name) => library.scenarios.find((s) => s.name === (name || library.scenarios[0].name)),
    values: (names) => Object.fromEntries(names.map((name) => [name, state.switches[name] ?? switches().find((s) => s.name === name)?.default ?? ""])),
    link: (other, step) => format({ ...blank(), ...other, scenario: other?.scenario || library.scenarios[0].name, switches: other?.switches || {}, step }),
    turn: (all) => { state.switches = { ...state.switches, ...all }; mend(state); controlsOf(); rerun(true); },
  });
  useOwn({ setup });
  controls();
  wireHeader();
  wireTransport();
  wireRun();
  arrange();
  document.querySelector(".plain").remove();
  window.addEventListener("hashchange", follow);
  follow();
}

start().catch((error) => {
  document.documentElement.classList.remove("js"); // the transcript is there without a script
  console.error(error);
});
