// Runs before the page's own script, in tests: it counts what is under way and what is said, and finds
// what a person can reach.
window.test = (() => {
  "use strict";
  const here = { broken: [], clickable: new Set() };
  addEventListener("securitypolicyviolation", (e) => here.broken.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sample}`));

  // What is under way: the page until its script ran, requests, and answers that are being read.
  let waiting = 1;
  const during = (f) => function (...all) {
    waiting++;
    return f.apply(this, all).finally(() => setTimeout(() => { waiting--; }));
  };
  window.fetch = during(window.fetch);
  Response.prototype.json = during(Response.prototype.json);
  Blob.prototype.text = during(Blob.prototype.text);
  addEventListener("DOMContentLoaded", () => setTimeout(() => { waiting--; }));
  const later = (ms) => new Promise((r) => setTimeout(r, ms));
  here.settled = async () => {
    for (let quiet = 0; quiet < 2; quiet = waiting ? 0 : quiet + 1) await later(5);
    return true;
  };

  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, ...rest) {
    if (type === "click" && this instanceof Element) here.clickable.add(this);
    return listen.call(this, type, ...rest);
  };

  // What a person does.
  here.all = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  here.click = async (selector, n = 0) => {
    const found = here.all(selector).at(n);
    if (!found) throw new Error(`there is no ${selector}`);
    found.click();
    await here.settled();
  };
  here.go = async (fragment) => {
    for (const d of document.querySelectorAll("dialog[open]")) d.close();
    history.replaceState(null, "", fragment || "#");
    dispatchEvent(new HashChangeEvent("hashchange"));
    await here.settled();
    scrollTo(0, 0);
  };
  here.type = (selector, text) => {
    const found = here.all(selector)[0];
    found.value = text;
    found.dispatchEvent(new Event("input", { bubbles: true }));
  };
  /** Answers a question, rightly or not. */
  here.answer = async (form, right) => {
    for (const option of form.querySelectorAll("input[type=radio]")) {
      option.checked = true;
      form.querySelector("[type=submit]").click();
      await here.settled();
      if (form.querySelector(`.verdict-on.${right ? "yes" : "no"}`)) return;
    }
    throw new Error(`no option is ${right ? "right" : "wrong"}`);
  };

  here.har = { log: { version: "1.2", creator: { name: "test", version: "1" }, entries: [{
    startedDateTime: "2026-01-01T00:00:00Z", time: 1, cache: {}, timings: {},
    request: { method: "GET", url: "http://shop.test/", httpVersion: "HTTP/1.1", headers: [{ name: "Host", value: "shop.test" }], queryString: [], cookies: [], headersSize: -1, bodySize: 0 },
    response: { status: 200, statusText: "OK", httpVersion: "HTTP/1.1", headers: [{ name: "Set-Cookie", value: "id=1; HttpOnly" }], cookies: [], content: { size: 0, mimeType: "text/html" }, redirectURL: "", headersSize: -1, bodySize: 0 },
  }] } };

  // What can be reached.
  const tabbable = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  here.reachable = () => {
    const within = document.querySelector("dialog[open]") || document;
    const groups = new Set();
    return [...within.querySelectorAll(tabbable)].filter((e) => {
      if (!e.checkVisibility({ visibilityProperty: true }) || e.disabled || e.tabIndex < 0) return false;
      if (e.type !== "radio") return true;
      // One stop a group: the chosen one, or the first.
      const chosen = document.querySelector(`input[name="${e.name}"]:checked`);
      if (chosen ? chosen !== e : groups.has(e.name)) return false;
      return groups.add(e.name);
    });
  };
  here.named = (e) => {
    if (!e || e === document.body) return "the page";
    const name = e.getAttribute("aria-label") || e.innerText || e.labels?.[0]?.innerText || e.name || "";
    return `${e.localName}${e.id ? `#${e.id}` : ""}${e.className ? `.${String(e.className).replaceAll(" ", ".")}` : ""} ${JSON.stringify(name.slice(0, 40))}`;
  };

  // Focus that cannot be seen: hidden behind something, off the window, or without a ring.
  const boxOf = (e) => (e.matches(".file input") ? e.parentElement : e);
  const middle = (e) => {
    const r = e.getClientRects()[0] || e.getBoundingClientRect();
    const [left, right] = [Math.max(r.left, 0), Math.min(r.right, innerWidth)];
    const [top, bottom] = [Math.max(r.top, 0), Math.min(r.bottom, innerHeight)];
    return [(left + right) / 2, (top + bottom) / 2, right > left && bottom > top];
  };
  here.focusFault = () => {
    const e = document.activeElement;
    const [x, y, inside] = middle(e);
    if (!inside) return `${here.named(e)} has the focus outside of the window`;
    const hit = document.elementFromPoint(x, y);
    if (!e.contains(hit) && !boxOf(e).contains(hit)) return `${here.named(e)} has the focus behind ${here.named(hit)}`;
    const style = getComputedStyle(boxOf(e));
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return `${here.named(e)} has the focus, and nothing shows it`;
    return "";
  };
  /** Click handlers on what no key reaches; a row may be the larger target of a button that it holds. */
  here.unreachable = () => [...here.clickable].filter((e) => e.isConnected && e.checkVisibility() &&
    e.tabIndex < 0 && ![...e.querySelectorAll(tabbable)].some((inner) => inner.tabIndex >= 0)).map(here.named);

  // What is said: each change of a region that speaks by itself.
  let ears;
  here.watch = () => {
    const speaks = "[role=status], [role=alert], [role=log], [aria-live]:not([aria-live=off]), output";
    here.said = [];
    ears?.disconnect();
    ears = new MutationObserver((all) => {
      const regions = all.map((m) => (m.target.nodeType === 1 ? m.target : m.target.parentElement)?.closest(speaks));
      for (const r of new Set(regions)) if (r) here.said.push(r.innerText || r.textContent);
    });
    ears.observe(document.body, { subtree: true, childList: true, characterData: true });
  };

  // What cannot be read or hit.
  const cut = (over) => over === "hidden" || over === "clip";
  here.clipped = () => here.all("body *").filter((e) => {
    if (e.closest("svg, select, input, textarea, .unseen, .word, .skip, thead")) return false;
    const style = getComputedStyle(e);
    const text = style.display !== "inline" && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    return e.scrollWidth > e.clientWidth + 1 && (cut(style.overflowX) || text && style.overflowX === "visible") ||
      e.scrollHeight > e.clientHeight + 1 && (cut(style.overflowY) || text && style.overflowY === "visible");
  }).map(here.named);
  here.small = () => here.all("button, select, summary, a[href], input").filter((e) => {
    if (e.closest("p, li, dd") && e.localName === "a") return false; // in a sentence
    const r = (e.labels?.[0]?.contains(e) ? e.labels[0] : e).getBoundingClientRect();
    return r.width < 24 || r.height < 24;
  }).map((e) => `${here.named(e)} is ${Math.round(e.getBoundingClientRect().width)} by ${Math.round(e.getBoundingClientRect().height)}`);
  here.sideways = () => {
    const most = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= most) return [];
    return [`the page is ${document.documentElement.scrollWidth} wide`, ...here.all("main *").filter((e) => e.getBoundingClientRect().right > most + 1 && !e.closest(".scroll, .flow, pre")).slice(0, 3).map(here.named)];
  };

  /** Has axe judge the page, and leaves out what is known and could not be decided. */
  here.judge = async (known, part) => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];
    const found = await axe.run(part ? { include: part } : document, {
      runOnly: tags, resultTypes: ["violations", "incomplete"], rules: { "target-size": { enabled: true } },
    });
    const told = (kind, r, n) => `${kind} ${r.id} at ${n.target.join(" ")}: ${n.failureSummary.replace(/\s+/g, " ")}`;
    const faults = found.violations.flatMap((r) => r.nodes.map((n) => told("violation of", r, n)));
    const used = new Set();
    for (const r of found.incomplete) {
      for (const n of r.nodes) {
        const at = document.querySelector(n.target[0]);
        const entry = known.findIndex((k) => k.rule === r.id && at?.matches(k.selector));
        if (entry < 0) faults.push(told("undecided:", r, n));
        else used.add(entry);
      }
    }
    return { faults, used: [...used], passes: found.passes.length };
  };
  return here;
})();
