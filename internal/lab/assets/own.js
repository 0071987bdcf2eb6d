// Your own: a line, a recording or settings, explained on this machine; and the scenario in this browser.
import { t, el, fill, button, code, paragraphs, list, table, ask, notice, unseen } from "./dom.js";
import { ruleButton, decision } from "./show.js";
import { tokens } from "./ask.js";

const most = { line: 64 * 1024, har: 15 * 1024 * 1024, settings: 2 * 1024 * 1024 };

let acts; // setup()
let live; // the stream of visits
export const useOwn = (given) => { acts = given; };

/** A form that sends a text to be explained, and shows what comes back. */
function pasteForm(kind, fields, text, show, extra) {
  const out = el("div.feedback", { role: "status" });
  return el("form.question", {
    onsubmit: async (event) => {
      event.preventDefault();
      notice();
      try {
        const body = { kind, text: await text(), ...extra?.() };
        if (body.text.length > most[kind]) throw Object.assign(new Error(t("too-long", Math.floor(most[kind] / 1024))), { hint: t("too-long-hint") });
        fill(out, el("p", null, t("working")));
        fill(out, show(await ask("/api/explain", body)));
      } catch (error) {
        fill(out);
        notice(error);
      }
    },
  }, fields, el("p.acts", null, el("button.main", { type: "submit" }, t("explain"))), out);
}

const field = (label, input) => el("p.field", null, el("label", { for: input.id }, label), input);

function lineForm() {
  const line = el("input", { type: "text", id: "own-line", spellcheck: "false", autocomplete: "off", placeholder: "id=1; Secure; HttpOnly; SameSite=Lax" });
  const url = el("input", { type: "text", id: "own-url", value: "https://shop.test/", spellcheck: "false", autocomplete: "off", inputmode: "url" });
  return pasteForm("line", [field(t("own-line"), line), field(t("own-url"), url)], () => line.value, showLine, () => ({ url: url.value, profile: acts.setup().profile || "" }));
}

function showLine({ line }) {
  return [
    tokens({ tokens: line.tokens, stored: line.verdict.yes, rule: line.verdict.rule }),
    line.asked?.length > 0 && [el("h3", null, t("goes-where")), table("diff", t("goes-where"), [t("request"), t("sent"), t("rule")],
      line.asked.map((a) => [`${a.what}: ${a.method} ${a.url}`, yesNo(a.verdict.yes), ruleButton(a.verdict.rule) || ""]))],
    el("h3", null, t("browsers")), table("diff", t("browsers"), [t("profile"), t("stored"), t("rule")], line.profiles.map((p) => [t(`profile-${p.profile}`), yesNo(p.verdict.yes), ruleButton(p.verdict.rule) || ""])),
  ];
}

const yesNo = (yes) => el(`span.mark.${yes ? "yes" : "no"}`, null, el("span", { "aria-hidden": "true" }, yes ? "✓ " : "✗ "), t(yes ? "yes" : "no"));

function harForm() {
  const file = el("input", { type: "file", id: "own-har-file", accept: ".har,application/json" });
  const text = el("textarea", { id: "own-har", rows: "3", spellcheck: "false" });
  return pasteForm("har", [field(t("own-har-file"), file), field(t("own-har"), text)], async () => {
    if (file.files[0]?.size > most.har) throw Object.assign(new Error(t("too-long", most.har / 1024)), { hint: t("too-long-hint") });
    return file.files[0] ? file.files[0].text() : text.value;
  }, showHAR, () => ({ profile: acts.setup().profile || "" }));
}

function showHAR({ har }) {
  return [
    paragraphs(har.summary),
    har.cookies.length > 0 && table("diff", t("cookies"), [t("cookie"), t("host"), t("sent"), t("stored"), t("refused"), t("kept-back")],
      har.cookies.map((c) => [code(c.name), c.site, String(c.sent), c.stored, c.refused, c.keptBack])),
    har.more > 0 && el("p.fine", null, t("and-more", har.more)),
    el("h3", null, t("differ")), har.differences.length ? list(har.differences) : el("p", null, t("differ-none")),
    har.moreDifferences > 0 && el("p.fine", null, t("and-more", har.moreDifferences)),
  ];
}

function settingsForm() {
  const text = el("textarea", { id: "own-settings", rows: "5", spellcheck: "false", placeholder: "SECURE_SSL_REDIRECT = True" });
  return pasteForm("settings", field(t("own-settings"), text), () => text.value, showSettings);
}

function showSettings({ settings }) {
  return [
    el("p", null, el("strong", null, t("findings", settings.findings.filter((f) => f.counts).length)), " ", t("django", settings.django)),
    table("steps", t("table-caption"), [t("step"), t("action"), t("condition"), t("result"), t("sent")], settings.steps.map((s) => [
      el("span", null, String(s.number), s.harm && [" ", el("span.mark.no", null, "✗ ", unseen(t("harm")))]), s.action, s.condition, s.result, s.cookie_sent])),
    el("ul.findings", null, settings.findings.map((f) => el("li", null, el("details", null,
      el("summary", null, code(f.id), ` ${f.severity}: ${f.title}`), el("p", null, f.text), el("p", null, f.doc), el("p", null, el("strong", null, t("fix")), " ", f.fix))))),
    settings.patch && [el("h3", null, t("patch")), el("pre", { tabindex: "0", role: "group", "aria-label": t("patch") }, settings.patch)],
  ];
}

// In this browser.

function browserForm() {
  const out = el("div");
  return el("div", null, paragraphs([t("site-about")]), el("p.acts", null, button(t("site-open"), async () => {
    try {
      watch(out, await ask("/api/site", acts.setup()));
    } catch (error) {
      notice(error);
    }
  }, { class: "main" })), out);
}

const maxShown = 50;

function watch(out, site) {
  const rows = el("ol.visits", { reversed: true });
  const state = el("p", { role: "status" }, t("site-waiting"));
  fill(out,
    el("p", null, el("a", { href: site.plain, target: "_blank", rel: "noopener noreferrer" }, site.plain), " ", t("site-plain")),
    el("p", null, el("a", { href: site.url, target: "_blank", rel: "noopener noreferrer" }, site.url), " ", t("site-https")),
    site.left.length > 0 && el("p.fine", null, t("site-left"), " ", site.left.map((name) => [code(name), " "])),
    el("p.fine", null, t("site-localhost")), el("h3", null, t("site-verdicts")), state, rows);
  live?.close();
  let seen = 0;
  live = new EventSource("/api/site/visits");
  live.onmessage = (event) => {
    const visit = JSON.parse(event.data);
    rows.prepend(el("li", null, el("details", null,
      el("summary", null, `${visit.method} ${visit.scheme}://…${visit.path} → ${visit.status}`, visit.cookies?.length ? ` · ${t("with-cookies", visit.cookies.join(", "))}` : ` · ${t("no-cookies")}`),
      el("ul.verdicts", null, (visit.verdicts || []).map((v) => el("li", null, decision(v.question), v.subject ? [" ", code(v.subject)] : "", " ", yesNo(v.yes), " ", ruleButton(v.rule)))))));
    while (rows.children.length > maxShown) rows.lastElementChild.remove();
    seen++;
    state.textContent = t("site-seen", seen);
  };
  live.onerror = () => { state.textContent = t("site-again"); };
}

/** Fills the view of what is one's own. */
export function own(body) {
  const parts = [["own-line-title", lineForm], ["own-har-title", harForm], ["own-settings-title", settingsForm], ["own-site-title", browserForm]];
  fill(body, paragraphs([t("own-about")]), parts.map(([key, make], i) => el("details.part", { open: i === 0 }, el("summary", null, el("h2", null, t(key))), make())));
}
