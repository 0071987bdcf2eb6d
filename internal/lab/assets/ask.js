// Questions and exercises: one form for all of them. The answers were run on the server.
import { t, el, fill, button, code, paragraphs, list, ask, notice, unseen } from "./dom.js";
import { ruleButton } from "./show.js";
import { keep, progress } from "./keep.js";

let acts; // show(setup, step), state(), place()
export const useAsking = (given) => { acts = given; };

/** What a setup has otherwise than its scenario. */
const turned = (setup) => [...Object.entries(setup.switches || {}).map(([name, value]) => code(`${name} = ${value}`)), ...(setup.profile ? [code(setup.profile)] : [])];

/** Says under what a question is asked, when that is not the scenario as it is; always where none is on show. */
function under(setup, always) {
  const all = turned(setup);
  const title = acts.title(setup.scenario);
  if (!all.length && !always && acts.state().scenario === (setup.scenario || acts.first())) return null;
  return el("p.fine", null, t("under", title), " ", all.map((one) => [one, " "]));
}

/** What is done, for a question that is asked without the run in sight; in a test with what there is to know. */
function planned(q) {
  const about = acts.scenario(q.setup?.scenario);
  return about?.plan?.length > 0 && el("details.plan", { open: true }, el("summary", null, t("plan")),
    q.kind !== "predict" && paragraphs(about.intro), list(about.plan, "ol"));
}

/** Hints, one at a time: the button that asks for the next, and where they appear. */
export function hints(all) {
  if (!all?.length) return [];
  let shown = 0;
  const box = el("div.hints", { role: "status" });
  const more = button(t("hint", all.length), () => {
    if (shown === all.length) return;
    box.append(el("p.hint", null, el("strong", null, t("hint-n", shown + 1)), " ", all[shown]));
    shown++;
    more.textContent = t("hint", all.length - shown);
    more.setAttribute("aria-disabled", String(shown === all.length));
  });
  return [more, box];
}

/** What there is to say when the answer is known. */
function explained(q, said) {
  return [
    q.because !== said && el("p", null, q.because.replace(said, "").trim()),
    q.rule && el("p", null, t("rule-is"), " ", ruleButton(q.rule)),
    q.key && el("p.key-says", null, el("strong", null, t("key-says")), " ", q.key),
    q.solution?.length > 0 && el("details", null, el("summary", null, t("solution")), list(q.solution, "ol")),
    q.check && el("p", null, el("strong", null, t("quick-check")), " ", q.check),
    q.mistakes?.length > 0 && el("details", null, el("summary", null, t("mistakes")), list(q.mistakes)),
    q.step > 0 && el("p.acts", null, lookAt(q.setup, q.step)),
  ];
}

/** A link to a step of a run, which is shown in this page, with a way back. */
const lookAt = (setup, step) => el("a.look", { href: acts.link(setup, step), onclick: (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab
  event.preventDefault();
  acts.show(setup, step);
} }, t("look", step));

/** What to say of the option that was taken. */
function verdictOn(option, more) {
  const run = !option.right && option.setup && button(t("show-true"), () => acts.show(option.setup, option.step || 1));
  return el(`div.verdict-on.${option.right ? "yes" : "no"}`, null,
    el("p", null, el("strong", null, el("span", { "aria-hidden": "true" }, option.right ? "✓ " : "✗ "), t(option.right ? "right" : "wrong")), " ", option.why),
    (run || more) && el("p.acts", null, run, more));
}

const grades = ["easy", "medium", "hard"];
let names = 0;

function options(q, only) {
  const name = `q${++names}`;
  return q.options.map((o, i) => el("label.option", null,
    el("input", { type: "radio", name, value: String(i), disabled: only }), el("span", null, o.text)));
}

const chosen = (form) => Number(form.querySelector("input:checked")?.value ?? -1);

/**
 * A question as a form. After a check it says what came of it; done(index) hears of it. With quiet it only
 * tells done, as in a test.
 */
export function question(q, { done, quiet, label, skip } = {}) {
  const feedback = el("div.feedback", { role: "status" });
  const teach = acts.state().teach && !quiet;
  const [hint, said] = q.kind !== "predict" && !quiet ? hints(q.hints) : [];
  const check = el("button.main", { type: "submit" }, label || t(teach ? "show-answer" : "check"));
  const form = el("form.question", {
    onsubmit: (event) => {
      event.preventDefault();
      const taken = chosen(form);
      if (taken < 0 && !teach) {
        fill(feedback, el("p", null, t("choose")));
        form.querySelector("input")?.focus();
        return;
      }
      if (!quiet) answered(q, taken, feedback);
      done?.(taken);
    },
  },
  el("fieldset", null, el("legend", null, q.grade && !quiet && q.kind !== "predict" && el("span.grade", null, t(`grade-${q.grade}`)), el("span", null, q.text)),
    under(q.setup || {}, quiet && q.kind !== "predict"), quiet && planned(q), options(q)),
  el("p.acts", null, check, hint, skip), said, feedback);
  return form;
}

function answered(q, taken, feedback) {
  const option = q.options[taken];
  if (option) keep((kept) => { kept.answered[q.id] = kept.answered[q.id] || option.right; });
  if (option && !option.right) {
    fill(feedback, verdictOn(option, button(t("show-answer"), () => answerOf(q, feedback))));
    return;
  }
  if (option) fill(feedback, verdictOn(option), explained(q, option.why));
  else answerOf(q, feedback);
}

function answerOf(q, feedback) {
  const right = q.options.find((o) => o.right);
  fill(feedback, el("p", null, el("strong", null, t("answer-is")), ` ${right.text} `, right.why), explained(q, right.why));
}

/** Questions by their grade, each folded but the first where that is to be open: all at once are too many. */
export function byGrade(questions, open) {
  const graded = grades.map((grade) => [grade, questions.filter((q) => q.grade === grade)]).filter(([, all]) => all.length > 0);
  return graded.map(([grade, all], i) => el("details.part", { open: open && i === 0 },
    el("summary", null, t("quiz-grade", t(`grade-${grade}`), all.length)), el("ol.questions", null, all.map((q) => el("li", null, question(q))))));
}

// Predict, run, compare, explain, change one thing.

/** Asks what will be, one question after the other, and calls reveal with the answers; null when skipped. */
export function predict(body, questions, reveal) {
  const taken = [];
  const next = () => {
    if (taken.length === questions.length) {
      reveal(questions.map((q, i) => ({ q, taken: taken[i] })));
      return;
    }
    const q = questions[taken.length];
    const form = question(q, {
      quiet: true, label: t("run-it"),
      skip: button(t("skip-predict"), () => reveal(null)),
      done: (index) => { taken.push(index); next(); },
    });
    fill(body, questions.length > 1 && el("p.fine", null, t("question-n", taken.length + 1, questions.length)), form);
    if (taken.length) form.querySelector("input").focus();
  };
  next();
}

/** Compares what was predicted with what happened, and offers one thing to change. */
export function compared(body, answers, changes, change) {
  const heads = answers?.map(({ q, taken }) => comparison(q, q.options.find((o) => o.right), q.options[taken])) || [];
  fill(body, heads, changes.length > 0 && el("div.change", null, el("h3", null, t("change-one")),
    el("p.acts", null, changes.map((c) => button([t("set-to", c.label), " ", el("strong", null, c.to)], () => change(c))))));
}

/** What was said of one question beside what the run shows; the explanation is behind one more step. */
function comparison(q, right, mine) {
  const why = el("details", null, el("summary", null, t("why")), el("p", null, right.why), explained(q, right.why));
  return el("div.compared", null,
    el("p", null, el("strong", null, q.text)),
    el("dl.two", null, el("dt", null, t("you-said")), el("dd", null, mine?.text ?? t("nothing")), el("dt", null, t("run-shows")), el("dd", null, right.text)),
    acts.state().teach || mine?.right ? null : verdictOn(mine || right),
    mine?.right && el("p", null, el("span.mark.yes", null, el("span", { "aria-hidden": "true" }, "✓ "), t("right"))), why);
}

// Practice.

/** Lists the exercises by grade, and the lesson's own practice questions. */
export function practiceList(body, exercises, questions, open) {
  const solved = progress().solved;
  fill(body, paragraphs([t("practice-about")]),
    questions.length > 0 && [el("h2", null, t("practice-own")), el("ol.questions", null, questions.map((q) => el("li", null, question(q))))],
    el("h2", null, t("exercises")),
    grades.map((grade) => {
      const all = exercises.filter((e) => e.grade === grade);
      return all.length > 0 && el("div", null, el("h3", null, t(`grade-${grade}`)), el("ul.exercises", null, all.map((e) => el("li", null,
        button(e.title, () => open(e.id), { class: "go" }), " ", el("span.fine", null, t(`kind-${e.kind}`)), " ", solved[e.id] && el("span.mark.yes", null, "✓ ", t("solved"))))));
    }));
}

/** One exercise: its goals, its hints, and how to hand in. */
export function exercise(body, e, leave) {
  const feedback = el("div.feedback", { role: "status" });
  const goals = el("div", null, el("h3", null, t("goals")), list(e.goals));
  const line = e.kind === "line" && el("input", { type: "text", value: e.line || "", maxlength: "4096", spellcheck: "false", autocomplete: "off", id: "line-answer" });
  const place = e.kind === "leak" && el("p", null, t("leak-how"));
  const answer = () => {
    if (e.kind === "line") return { line: line.value };
    if (e.kind === "leak") return { step: acts.state().step };
    return { switches: acts.values(e.switches || []) };
  };
  const hand = async () => {
    try {
      judged(feedback, e, await ask("/api/judge", { id: e.id, answer: answer() }));
      goals.hidden = true; // they stand in the judgement
    } catch (error) {
      notice(error);
    }
  };
  const [hint, said] = hints(e.hints);
  const form = el("form.question", { onsubmit: (event) => { event.preventDefault(); hand(); } },
    line && el("p.field", null, el("label", { for: "line-answer" }, t("line-label", e.url || "")), line), place,
    e.kind === "settings" && el("p", null, t("settings-how")),
    el("p.acts", null, el("button.main", { type: "submit" }, t("hand-in")), hint, button(t("exercise-leave"), leave)),
    said, feedback);
  fill(body, el("h2", { tabindex: "-1", id: "exercise-title" }, el("span.grade", null, t(`grade-${e.grade}`)), e.title), under({ scenario: e.setup.scenario }, true), paragraphs(e.text), goals, form,
    el("details", null, el("summary", null, t("one-solution")), el("p", null, solution(e.solution)), e.kind === "settings" && el("p.acts", null, button(t("try-solution"), () => acts.turn(e.solution.switches || {})))));
}

function solution(answer) {
  if (answer.line) return code(answer.line);
  if (answer.step) return t("step-n", answer.step);
  return Object.entries(answer.switches || {}).map(([name, value]) => [code(`${name} = ${value}`), " "]);
}

function judged(feedback, e, j) {
  if (j.solved) keep((kept) => { kept.solved[e.id] = true; });
  fill(feedback, el("p", null, el(`strong.${j.solved ? "yes" : "no"}`, null, j.solved ? t("exercise-solved") : t("exercise-not-yet"))),
    el("ul.goals", null, j.goals.map((g) => el("li", null, el(`span.mark.${g.met ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, g.met ? "✓ " : "✗ "), t(g.met ? "met" : "not-met")), " ", g.text, g.why ? [" ", el("span.fine", null, g.why)] : "", " ", g.step > 0 && j.run && button(t("look", g.step), () => acts.show(j.run.setup, g.step), { class: "go" }), " ", ruleButton(g.rule)))),
    j.line && tokens(j.line));
}

/** A Set-Cookie line, token by token. */
export function tokens(line) {
  return el("div", null, el("p", null, el(`span.mark.${line.stored ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, line.stored ? "✓ " : "✗ "), t(line.stored ? "stored" : "refused")), " ", line.why || "", " ", ruleButton(line.rule)),
    el("dl.tokens", null, line.tokens.map((k) => [el("dt", null, code(k.text), " ", el(`span.effect.${k.effect}`, null, t(`effect-${k.effect}`))), el("dd", null, k.does, " ", ruleButton(k.rule))])));
}

// The test.

/** A test of ten from a seed, one question at a time; ends with a word for each grade. */
export function test(body, seed, begin) {
  const input = el("input", { type: "number", min: "0", max: "4294967295", step: "1", value: String(seed), id: "seed" });
  const form = el("form.question", {
    onsubmit: async (event) => {
      event.preventDefault();
      const n = Number(input.value);
      if (!Number.isInteger(n) || n < 0 || n > 4294967295) {
        fill(trouble, el("p", null, t("seed-bad")));
        input.focus();
        return;
      }
      begin(n);
      try {
        run(body, n, await ask("/api/test", { seed: n }), () => test(body, n, begin));
      } catch (error) {
        notice(error);
      }
    },
  }, el("p.field", null, el("label", { for: "seed" }, t("seed")), input), el("p.acts", null, el("button.main", { type: "submit" }, t("test-begin"))));
  const trouble = el("div", { role: "status" });
  const last = progress().tests.at(-1);
  fill(body, paragraphs([t("test-about")]), last && el("p.fine", null, t("test-last", last.seed), " ", words(last.strong)), form, trouble);
}

const words = (strong) => grades.filter((g) => g in strong).map((g) => [t(`grade-${g}`), ": ", el("strong", null, t(strong[g] ? "strong" : "not-yet")), ". "]);

function run(body, seed, questions, again) {
  const answers = [];
  const next = () => {
    if (answers.length === questions.length) {
      finish(body, seed, questions, answers, again);
      return;
    }
    const q = questions[answers.length];
    const form = question(q, { quiet: true, label: t(answers.length + 1 < questions.length ? "next-question" : "finish"), done: (i) => { answers.push(i); next(); } });
    const head = el("h2", { tabindex: "-1" }, t("question-n", answers.length + 1, questions.length), " ", el("span.grade", null, t(`grade-${q.grade}`)));
    fill(body, el("progress", { max: questions.length, value: answers.length, "aria-label": t("test-progress") }), head, form);
    head.focus();
  };
  next();
}

async function finish(body, seed, questions, answers, again) {
  try {
    const strong = await ask("/api/strong", { seed, answers });
    keep((kept) => { kept.tests.push({ seed, strong }); });
    const head = el("h2", { tabindex: "-1" }, t("test-done"));
    const right = questions.filter((q, i) => q.options[answers[i]]?.right).length;
    fill(body, head, el("p", null, t("test-score", right, questions.length), " ", words(strong)),
      el("ol.review", null, questions.map((q, i) => review(q, answers[i]))),
      el("p.acts", null, button(t("test-again"), again)));
    head.focus();
  } catch (error) {
    notice(error);
  }
}

function review(q, taken) {
  const mine = q.options[taken];
  const right = q.options.find((o) => o.right);
  return el("li", null, el("details", null,
    el("summary", null, el(`span.mark.${mine?.right ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, mine?.right ? "✓" : "✗"), unseen(t(mine?.right ? "right" : "wrong"))), " ", q.text, " ", el("span.fine.of", null, acts.title(q.setup?.scenario), turned(q.setup || {}).map((one) => [" ", one]))),
    el("dl.two", null, el("dt", null, t("you-said")), el("dd", null, mine?.text ?? t("nothing")), el("dt", null, t("run-shows")), el("dd", null, right.text)),
    mine && !mine.right && verdictOn(mine), el("p", null, right.why), explained(q, right.why)));
}
