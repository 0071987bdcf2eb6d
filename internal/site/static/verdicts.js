// Adds requests to the list as they arrive. Without it the page loads itself anew.
"use strict";

(() => {
  const list = document.getElementById("requests");
  const none = document.getElementById("none");
  const tools = document.getElementById("live");
  const state = document.getElementById("live-state");
  const pause = document.getElementById("live-pause");
  const limit = Number(list.dataset.limit);
  let held = []; // what arrived during a pause
  let paused = false;
  let arrived = 0;

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  const many = (n) => n === 1 ? "1 request" : `${n} requests`;

  // The server made the HTML and escaped what came from outside.
  const show = (html) => {
    const piece = document.createElement("template");
    piece.innerHTML = html;
    list.prepend(piece.content);
    while (list.children.length > limit) list.lastElementChild.remove();
    none.hidden = true;
    arrived++;
  };

  const tell = () => {
    if (paused) say(held.length ? `Paused: ${many(held.length)} waiting.` : "Paused.");
    else say(arrived ? `${many(arrived)} since this page was loaded.` : "Waiting for requests.");
  };

  const source = new EventSource(`/verdicts/stream?after=${encodeURIComponent(list.dataset.last)}`);
  source.onopen = tell;
  source.onmessage = (event) => {
    if (paused) {
      held.push(event.data);
      held = held.slice(-limit);
    } else {
      show(event.data);
    }
    tell();
  };
  source.onerror = () => {
    say(source.readyState === EventSource.CLOSED
      ? "No longer live: the session has ended, or there are too many tabs. Load the page anew."
      : "Connecting again …");
  };

  pause.onclick = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) held.splice(0).forEach(show);
    tell();
  };
  tools.hidden = false;
})();
