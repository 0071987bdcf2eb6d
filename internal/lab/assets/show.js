// A run, shown: flow, table, tracker, this step, moments, difference, transcript. Each view is made once a
// run; light() then moves the one current step through all of them.
import { $, t, el, svg, fill, button, unseen, code, list, table } from "./dom.js";

// Who listens sits between browser and gate, and sees what goes by.
const lanesOf = (attacker) => (attacker ? ["browser", "attacker", "gate", "app"] : ["browser", "gate", "app"]);

let at; // what the page does: go(step), rule(id)
export const useActs = (acts) => { at = acts; };

const mark = (yes) => el(`span.mark.${yes ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, yes ? "✓ " : "✗ "), t(yes ? "true" : "false"));

/** A rule as a button that opens its explanation. */
export const ruleButton = (id) => id && button(code(id), () => at.rule(id), { class: "rule", "aria-haspopup": "dialog" });

/** A step as a button that goes there. */
export const stepButton = (step, label) => button(label || t("step-n", step), () => at.go(step, true), { class: "go" });

// The flow.

function arrow(message, where) {
  const [from, to] = [where.indexOf(message.from), where.indexOf(message.to)];
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const self = from === to;
  const inside = Math.min(where.indexOf(message.from), where.indexOf(message.to)) >= where.indexOf("gate"); // in one process
  const kind = self ? "note" : inside ? "inside" : message.secure ? "secure" : "clear";
  const node = button([unseen(`${t(`lane-${message.from}`)}${self ? "" : ` → ${t(`lane-${message.to}`)}`}: `), el("span.text", null, message.stop && el("b", { "aria-hidden": "true" }, "✗ "), message.text), !self && line(to < from)], null,
    { class: `arrow ${kind}${message.stop ? " stop" : ""}` });
  between(node, self ? around(low, where.length) : [2 * low + 2, 2 * high + 2]);
  return node;
}

// The grid of an arrow has two columns a lane, so that its line from 2n+2 is in the middle of lane n.
const around = (n, count) => [Math.max(2 * n, 1), Math.min(2 * n + 4, 2 * count + 1)];

function between(node, [from, to]) {
  node.style.setProperty("--from", from);
  node.style.setProperty("--to", to);
}

function line(left) {
  const head = svg("svg", { x: left ? "0" : "100%", y: "6", overflow: "visible" }, svg("path", { d: left ? "M9,-5 L0,0 L9,5z" : "M-9,-5 L0,0 L-9,5z" }));
  // Moved as a whole, since a calc() here is not computed again when the window changes.
  const shaft = svg("svg", { x: left ? "0" : "-6", overflow: "visible" }, svg("line", { x1: "6", x2: "100%", y1: "6", y2: "6" }));
  return svg("svg", { class: "line", "aria-hidden": "true", focusable: "false" }, shaft, head);
}

function seenBy(seen, where) {
  const node = button([unseen(`${t("lane-attacker")}: `), el("span.text", null, seen.text)], null, { class: `arrow note${seen.harm ? " harm" : ""}` });
  between(node, around(where.indexOf("attacker"), where.length));
  return node;
}

let fresh = false; // just drawn: what is current is there at once

/** Draws the messages of a run between lanes, step by step. */
export function drawFlow(run, attacker) {
  const where = lanesOf(attacker);
  const back = svg("svg", { class: "lanes", "aria-hidden": "true", focusable: "false" },
    ...where.map((_, i) => svg("line", { x1: `${(i + .5) * 100 / where.length}%`, x2: `${(i + .5) * 100 / where.length}%`, y1: "0", y2: "100%" })));
  const steps = run.steps.map((step) => {
    const drawn = step.messages?.filter((m) => where.includes(m.from) && where.includes(m.to)) || [];
    const all = drawn.map((m) => arrow(m, where));
    if (attacker) all.push(...(step.attacker || []).map((seen) => seenBy(seen, where)));
    for (const one of all) one.addEventListener("click", () => at.go(step.number, false));
    return el("li", { "data-step": String(step.number) }, el("span.number", { "aria-hidden": "true" }, String(step.number)), unseen(t("step-n", step.number)),
      all.length ? el("ol", null, all.map((one) => el("li", null, one))) : el("p.fine", null, step.result));
  });
  const flow = el("div.flow", { role: "group", "aria-label": t("view-flow") },
    el("div.heads", null, where.map((name) => el("span", null, t(`lane-${name}`)))),
    el("div.drawn", null, back, el("ol", null, steps)));
  flow.style.setProperty("--lanes", where.length);
  fill($("flow-body"), flow);
  fresh = true;
}

// The execution table.

/** A text that may be broken after what joins its parts. */
const soft = (text) => text.split(/(?<=[=;]|[^/:]\/)(?=[^\s/)])/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));

const columns = ["step", "action", "condition", "result", "sent", "rule"];

/** Writes the execution table; cells that differ from the other run are marked. */
export function writeTable(run, changes) {
  const changed = new Set((changes || []).map((c) => `${c.step} ${c.column.toLowerCase()}`));
  const heads = columns.map((name) => t(name));
  const rows = run.steps.map((step) => [
    el("span", null, button(String(step.number), () => at.go(step.number, false), { class: "go", "aria-label": t("go-step", step.number) })),
    cell(step.number, "action", [step.as && el("span.as", null, `${t("as", step.as)} `), soft(step.action)]),
    cell(step.number, "condition", [typeof step.true === "boolean" && mark(step.true), typeof step.true === "boolean" && " ", soft(step.condition)]),
    cell(step.number, "result", soft(step.result)),
    cell(step.number, "sent", step.sent),
    ruleButton(step.rule) || "",
  ]);
  function cell(step, name, text) {
    const moved = changed.has(`${step} ${t(name).toLowerCase()}`);
    return el(`span${moved ? ".moved" : ""}`, null, text, moved && unseen(` (${t("changed")})`));
  }
  const made = table("steps", t("table-caption"), heads, rows);
  made.querySelectorAll("tbody tr").forEach((row, i) => {
    row.dataset.step = run.steps[i].number;
    if (run.steps[i].skipped) row.classList.add("skipped");
    row.addEventListener("click", (event) => { if (!event.target.closest("button")) at.go(run.steps[i].number, false); });
  });
  fill($("table-body"), made);
}

// The variable tracker.

/** Writes the tracker; what changed from one step to the next has a dot. */
export function writeTracker(run, all) {
  const rows = (run.tracker || []).filter((v) => all || !v.detail);
  const heads = [t("variable"), t("start"), ...run.steps.map((s) => t("after", s.number))];
  const made = table("track", t("tracker-caption"), heads, rows.map((v) => [code(v.name), ...v.values.map((value, i) => {
    const moved = i > 0 && value !== v.values[i - 1];
    return el(`span${moved ? ".moved" : ""}`, null, moved && el("span", { "aria-hidden": "true" }, "● "), value, moved && unseen(` (${t("changed")})`));
  })]));
  made.querySelectorAll("tr").forEach((row) => [...row.children].forEach((c, i) => { if (i > 1) c.dataset.step = run.steps[i - 2]?.number; }));
  $("all-label").hidden = !(run.tracker || []).some((v) => v.detail);
  fill($("tracker-body"), made);
}

// This step.

const sign = (yes) => el(`span.mark.${yes ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, yes ? "✓ " : "✗ "), t(yes ? "yes" : "no"));

/** What was decided, as a question in words. */
export function decision(question) {
  const words = t(`decides-${question}`);
  return words.startsWith("decides-") ? question : words;
}

function verdict(v) {
  const others = (v.also || []).concat(v.notes || []);
  return el("li", null, el("span.side", null, t(v.side === "browser" ? "lane-browser" : "site")),
    el("span", null, decision(v.question), v.subject ? [" ", code(v.subject)] : ""), sign(v.yes),
    el("span.by", null, el("code.as", null, v.question), " ", ruleButton(v.rule), others.length > 0 && el("span.fine", null, " ", t("also"), " ", others.map((id) => [ruleButton(id), " "]))));
}

function attackers(seen) {
  return [el("h3", null, t("attacker-saw")), el("ul.seen", null, seen.map((one) => el(`li${one.harm ? ".harm" : ""}`, null,
    one.text, one.could ? [" ", el("strong", null, t("could")), " ", one.could] : "", " ", one.harm ? el("span.mark.no", null, "✗ ", t("harm")) : "", " ", ruleButton(one.rule))))];
}

/** Tells one step in full. */
export function writeNow(step, attacker) {
  const raw = (step.messages || []).filter((m) => m.raw);
  const all = step.verdicts || [];
  const first = all.filter((v) => telling(v, step));
  const rest = all.filter((v) => !first.includes(v));
  fill($("now-body"),
    el("p.say", null, step.say || step.result),
    first.length > 0 && el("ul.verdicts", null, first.map(verdict)),
    attacker && step.attacker?.length > 0 && attackers(step.attacker),
    rest.length > 0 && el("details", null, el("summary", null, t("more-verdicts", rest.length)), el("ul.verdicts", null, rest.map(verdict))),
    raw.length > 0 && el("details", null, el("summary", null, t("raw")),
      raw.map((m) => el("figure", null, el("figcaption.fine", null, `${t(`lane-${m.from}`)} → ${t(`lane-${m.to}`)}`), el("pre", { tabindex: "0", role: "group", "aria-label": t("raw") }, m.raw)))));
}

// What seldom decides, and what it says when it does not.
const usual = { "send header": null, "set cookie": null, "save session": null, "load session": null, "connect": true, "allow host": true, "upgrade to https": false };
const telling = (v, step) => v.rule === step.rule || !(v.question in usual) || (usual[v.question] !== null && usual[v.question] !== v.yes);

// Moments, difference, transcript.

export const writeMoments = (run) => fill($("moments-body"), el("div.moments", null, (run.moments || []).map((m) =>
  el("details", { "data-step": String(m.step) }, el("summary", null, m.question),
    el("p", null, m.answer), el("p.acts", null, stepButton(m.step, t("look", m.step)), " ", ruleButton(m.rule))))));

/** Shows in what two runs differ, and nothing of what they share. */
export function writeDifference({ base, changes }, none) {
  $("difference").hidden = !base || none;
  if ($("difference").hidden) return;
  if (!changes.length) {
    fill($("difference-body"), el("p", null, t("difference-none")));
    return;
  }
  fill($("difference-body"), table("diff", t("difference"), [t("where"), t("was"), t("now-is")], changes.map((c) => [
    el("span", null, c.step ? stepButton(c.step) : t("whole"), " ", c.column), c.was || t("nothing"), el("strong", null, c.now || t("nothing")),
  ])));
}

/** @returns the whole run as lines of text. */
export const transcriptText = (run) => [run.title, "", ...(run.transcript || []), "", ...(run.settings || []).map((s) => `${s.name} = ${s.value}`)].join("\n");

export const settingsList = (run) => el("ul.settings", null, (run.settings || []).map((s) => el("li", null, code(`${s.name} = ${s.value}`))));

/** The rows of a run, short, for the snapshot. */
export const shortTable = (run) => table("steps short", t("table-caption"), [t("step"), t("action"), t("result"), t("sent")], run.steps.map((s) => [String(s.number), s.action, s.result, s.sent]));

export const facts = (all) => el("dl.facts", null, all.map((f) => [el("dt", null, f.name), el("dd", null, f.value)]));
export { list };

/** Moves the light: the current step is the same in flow, table, tracker and moments. What was drawn a moment ago jumps there. */
export function light(step, jump) {
  const is = (node) => Number(node.dataset.step) === step;
  for (const area of ["flow-body", "table-body", "tracker-body", "moments-body"]) {
    for (const node of $(area).querySelectorAll("[data-step]")) {
      node.classList.toggle("current", is(node));
      node.classList.toggle("later", Number(node.dataset.step) > step);
    }
  }
  for (const node of document.querySelectorAll("#table-body tbody tr, #flow-body .drawn > ol > li")) {
    if (is(node)) node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
  }
  const item = $("flow-body").querySelector("[aria-current]");
  if (item) intoView($("flow-body").firstChild, item, jump);
  const column = $("tracker-body").querySelector("th.current");
  if (column) sideways($("tracker-body").firstChild, column, jump);
}

const still = () => fresh || matchMedia("(prefers-reduced-motion: reduce)").matches;

function intoView(box, item, jump) {
  const top = item.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop;
  box.scrollTo({ top: top - box.clientHeight / 3, behavior: jump || still() ? "auto" : "smooth" });
}

function sideways(box, item, jump) {
  const left = item.getBoundingClientRect().left - box.getBoundingClientRect().left + box.scrollLeft;
  box.scrollTo({ left: left - box.clientWidth / 2, behavior: jump || still() ? "auto" : "smooth" });
}
