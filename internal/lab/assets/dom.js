// Making and finding elements. Whatever comes from a run or from a person becomes text, never markup.

/** @returns the element with an id. */
export const $ = (id) => document.getElementById(id);

let texts = {};

/** Takes the texts of the page. */
export const useTexts = (all) => { texts = all; };

/** @returns a text by its key, with {0}, {1} filled in. */
export const t = (key, ...args) =>
  (texts[key] ?? key).replace(/\{(\d)\}/g, (_, i) => String(args[i] ?? ""));

/** Makes an element: el("p.fine", {title: "x", onclick: f}, child, "text"). */
export function el(kind, props, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

const svgSpace = "http://www.w3.org/2000/svg";

/** Makes an element of a drawing. */
export function svg(tag, props, ...children) {
  const node = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(props || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Replaces what an element holds. */
export const fill = (node, ...children) => {
  node.replaceChildren(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== false));
  return node;
};

export const button = (label, onclick, props) => el("button", { type: "button", onclick, ...props }, label);
export const unseen = (text) => el("span.unseen", null, text);
export const code = (text) => el("code", null, text);
export const paragraphs = (all) => (all || []).map((text) => el("p", null, text));
export const list = (all, kind = "ul") => el(kind, null, (all || []).map((text) => el("li", null, text)));

/** A table with a caption; each cell is text or an element, and the first of a row is its head. */
export function table(kind, caption, heads, rows) {
  return el("div.scroll", { role: "group", "aria-label": caption, tabindex: "0" },
    el(`table.${kind}`, null,
      el("caption.unseen", null, caption),
      el("thead", null, el("tr", null, heads.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", null, rows.map((row) => el("tr", null, row.map((cell, i) => (i === 0
        ? el("th", { scope: "row", "data-label": heads[i] }, cell)
        : el("td", { "data-label": heads[i] }, cell))))))));
}

/** Copies a text, and says on the button that it did. */
export async function copy(from, text) {
  const was = from.textContent;
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = t("copied");
  } catch {
    from.textContent = t("copy-failed");
  }
  setTimeout(() => { from.textContent = was; }, 2000);
}

/** Says one thing to who hears the page, politely. */
export const say = (text) => { $("status").textContent = text; };

/** Asks the server. What it refuses is thrown with its hint. */
export async function ask(path, body, signal) {
  const options = body === undefined ? { signal } : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw Object.assign(new Error(t("gone")), { hint: t("gone-hint") });
  }
  const value = await answer.json().catch(() => ({ error: t("unreadable"), hint: "" }));
  if (!answer.ok) throw Object.assign(new Error(value.error), { hint: value.hint });
  return value;
}

/** Shows what went wrong and what to do; nothing takes it away. */
export function notice(error) {
  if (error?.name === "AbortError") return;
  fill($("notice"), error && el("div.notice", null,
    el("p", null, el("strong", null, error.message), " ", error.hint || ""),
    button(t("dismiss"), () => notice())));
}
