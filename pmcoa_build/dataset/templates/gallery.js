"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const form = one("#filters"), list = one("#list"), cards = all(".figure"), reviewing = one("#reviewing"), review = one("#review");
const pairsOf = new Map(cards.map(card => [card, all(".pair", card)]));
const cardOf = pair => pair.closest(".figure");
const boxOf = pair => one(`.box[data-n="${pair.dataset.n}"]`, cardOf(pair));

// Parts of the page: one is shown at a time.
function open_view() {
  const views = all(".view"), wanted = views.find(view => "#" + view.id === location.hash) || views[0];
  for (const view of views) view.hidden = view !== wanted;
  for (const link of all("nav a")) link.hash === "#" + wanted.id ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
}
addEventListener("hashchange", () => { if (location.hash !== "#content") open_view(); });
for (const link of all("nav a")) link.addEventListener("click", event => {
  event.preventDefault(); history.replaceState(null, "", link.hash); open_view();
});
open_view();
const narrow = matchMedia("(max-width: 900px)");
const fold = () => { one("#filterbox").open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();

// Filters.
const words = new Map();
function holds(card, text) {
  if (!words.has(card)) words.set(card, card.textContent.toLowerCase());
  return words.get(card).includes(text);
}
function lost_as(reasons, want) {
  const any = reasons.filter(reason => reason);
  return !want || (want === "-" ? any.length === 0 : want === "*" ? any.length > 0 : any.includes(want));
}
function wanted(pair, want) {
  const d = pair.dataset, sure = d.confidence === "" ? null : Number(d.confidence), { lost } = cardOf(pair).dataset;
  return (!want.kind || d.kind === want.kind) && (!want.method || d.method === want.method)
    && (sure === null ? want.low === 0 && want.high === 1 : sure >= want.low - 1e-6 && sure <= want.high + 1e-6)
    && (!want.lost || want.lost === "-" || lost || lost_as([d.lost], want.lost));
}
function apply_filters() {
  const given = new FormData(form), want = Object.fromEntries(["kind", "method", "license", "lost"].map(key => [key, given.get(key)]));
  want.low = Number(given.get("low")); want.high = Number(given.get("high"));
  const text = given.get("words").trim().toLowerCase(), narrowed = want.kind || want.method || want.low > 0 || want.high < 1;
  one("#range").value = `${want.low} to ${want.high}`;
  let figures = 0, pairs = 0;
  for (const [card, own] of pairsOf) {
    const good = new Set(own.filter(pair => wanted(pair, want)));
    card.hidden = !((!want.license || card.dataset.license === want.license) && (!text || holds(card, text))
      && lost_as([card.dataset.lost, ...own.map(pair => pair.dataset.lost)], want.lost) && (!narrowed || good.size > 0));
    if (card.hidden) continue;
    figures += 1; pairs += good.size;
    for (const pair of own) for (const part of [pair, boxOf(pair)]) part?.classList.toggle("faded", !good.has(pair));
  }
  one("#count").textContent = `${figures} of ${cards.length} figures, ${pairs} panels`;
}
form.addEventListener("input", apply_filters);
form.addEventListener("reset", () => setTimeout(apply_filters));
form.addEventListener("submit", event => event.preventDefault());
apply_filters();

// A panel lights up with its text.
function light(event, on) {
  const part = event.target.closest?.("[data-n]");
  if (part) for (const same of all(`[data-n="${part.dataset.n}"]`, cardOf(part))) same.classList.toggle("on", on);
}
for (const [kind, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]])
  list.addEventListener(kind, event => light(event, on));

// Keys.
function step(among, from, by) {
  const at = among.indexOf(from), next = among[at < 0 ? 0 : Math.min(Math.max(at + by, 0), among.length - 1)];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: next.matches(".figure") ? "start" : "nearest" });
}
const shown_pairs = () => cards.filter(card => !card.hidden).flatMap(card => pairsOf.get(card));
document.addEventListener("keydown", event => {
  const at = event.target, pair = at.closest?.(".pair");
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape" && at.closest?.(".editor")) { edit(pair, false); pair.focus(); }
  if (/INPUT|SELECT|TEXTAREA/.test(at.tagName) || one("#figures").hidden) return;
  const deeds = { r: "right", w: "wrong", e: "edit", x: "drop" };
  if (event.key === "/") { one("#filterbox").open = true; form.elements.words.focus(); }
  else if (event.key === "j" || event.key === "k") step(cards.filter(card => !card.hidden), at.closest?.(".figure"), event.key === "j" ? 1 : -1);
  else if (pair && /^Arrow(Up|Down)$/.test(event.key)) step(shown_pairs(), pair, event.key === "ArrowDown" ? 1 : -1);
  else if (pair && !review.hidden && deeds[event.key]) {
    act(pair, deeds[event.key]);
    if (event.key !== "e") step(shown_pairs(), pair, 1);
  } else return;
  event.preventDefault();
});

// What a person says: image and box -> { verdict, label, subcaption, new_box, drop }, kept in the browser.
const PLACE = "pmcoa-build review of " + document.body.dataset.build;
let said = {}, kept = true;
try { said = JSON.parse(localStorage.getItem(PLACE)) || {}; } catch { kept = false; }
const key_of = pair => `${cardOf(pair).dataset.image} ${pair.dataset.box}`;
const numbers = text => text.split(",").map(Number);
const machine = new WeakMap();
function made(pair) {
  if (!machine.has(pair)) {
    const text = one(".sub.whole", pair) ? one(".text-of-caption", cardOf(pair)) : one(".sub", pair);
    machine.set(pair, { label: one(".lab", pair).textContent, subcaption: text.textContent, new_box: numbers(pair.dataset.box) });
  }
  return machine.get(pair);
}
const edits = opinion => ["label", "subcaption", "new_box"].filter(key => opinion[key] !== undefined);
for (const pair of all('.pair[data-method="corrected"]')) {  // what the build has taken up need not be said again
  const own = said[key_of(pair)];
  if (own && edits(own).every(key => String(own[key]) === String(made(pair)[key]))) delete said[key_of(pair)];
}
function opinion_of(pair) {
  const own = said[key_of(pair)];
  return !own ? "" : own.drop ? "left out" : edits(own).length ? "corrected" : own.verdict || "";
}
function keep(pair, opinion) {
  const was = made(pair), before = said[key_of(pair)] || {};
  for (const key of edits(opinion)) if (String(opinion[key]) === String(was[key])) delete opinion[key];
  if (edits(opinion).length) opinion.verdict = "wrong";
  else if (edits(before).length && opinion.verdict === "wrong") delete opinion.verdict;  // edited back to what it was
  for (const key of ["verdict", "drop"]) if (!opinion[key]) delete opinion[key];
  if (Object.keys(opinion).length) said[key_of(pair)] = opinion; else delete said[key_of(pair)];
  try { localStorage.setItem(PLACE, JSON.stringify(said)); kept = true; } catch { kept = false; }
  paint(pair); tally();
}
function act(pair, deed) {
  const own = { ...said[key_of(pair)] };
  if (deed === "edit") return edit(pair, !one(".editor", pair));
  if (deed === "drop") own.drop = !own.drop;
  else if (deed === "right" && !made(pair).subcaption.trim()) return;
  else if (deed === "right") { for (const key of edits(own)) delete own[key]; own.verdict = own.verdict === "right" ? "" : "right"; delete own.drop; edit(pair, false); }
  else own.verdict = own.verdict === "wrong" && !edits(own).length ? "" : "wrong";
  keep(pair, own);
}
function line_of(pair) {
  const own = said[key_of(pair)], was = made(pair), changed = edits(own).length > 0;
  const line = { image_id: cardOf(pair).dataset.image, box: was.new_box };
  if (pair.dataset.method) line.method = pair.dataset.method;
  if (own.verdict) line.verdict = own.verdict;
  if (changed || own.verdict === "right") {
    const text = own.subcaption ?? was.subcaption;
    line.label = (own.label ?? was.label).trim();
    if (text.trim()) line.subcaption = text.trim();
  }
  if (own.new_box) line.new_box = own.new_box;
  if (own.drop) line.drop = true;
  return JSON.stringify(line);
}
const judged = () => cards.flatMap(card => pairsOf.get(card)).filter(opinion_of);
const corrections = () => judged().map(pair => line_of(pair) + "\n").join("");

function paint(pair) {
  const own = said[key_of(pair)] || {}, was = made(pair), opinion = opinion_of(pair), box = boxOf(pair);
  pair.dataset.said = opinion;
  const label = own.label ?? was.label;
  one(".lab", pair).textContent = label;
  if (own.subcaption !== undefined || !one(".sub.whole", pair)) one(".sub", pair).textContent = own.subcaption ?? was.subcaption;
  else one(".sub", pair).textContent = "The whole caption.";
  if (box) {
    const [x0, y0, x1, y1] = own.new_box || was.new_box, [w, h] = numbers(cardOf(pair).dataset.size);
    Object.assign(box.style, { left: `${100 * x0 / w}%`, top: `${100 * y0 / h}%`, width: `${100 * (x1 - x0) / w}%`, height: `${100 * (y1 - y0) / h}%` });
    one(".tag", box).textContent = label || pair.dataset.n;
  }
  const note = one(".opinion", pair) || one(".facts", pair).appendChild(Object.assign(document.createElement("span"), { className: "opinion" }));
  note.textContent = opinion && `you: ${opinion}`;
  for (const button of all(".judge button", pair)) {
    const deed = button.dataset.do;
    button.setAttribute("aria-pressed", deed === "edit" ? edits(own).length > 0 : deed === "drop" ? !!own.drop : own.verdict === deed);
  }
}
function tally() {
  const kinds = ["right", "corrected", "wrong", "left out"], by = {};
  for (const pair of judged()) (by[pair.dataset.method || "no text"] ??= []).push(opinion_of(pair));
  const count = (opinions, kind) => opinions.filter(opinion => opinion === kind).length, every = Object.values(by).flat();
  one("#tally").textContent = every.length ? `${every.length} judged: ` + kinds.filter(kind => every.includes(kind)).map(kind => `${count(every, kind)} ${kind}`).join(", ") : "Nothing judged yet";
  one("#save").disabled = one("#restart").disabled = every.length === 0;
  const row = (cells, tag) => { const tr = document.createElement("tr"); for (const text of cells) tr.appendChild(document.createElement(tag)).textContent = text; return tr; };
  one("#agreed").replaceChildren(row(["paired by", ...kinds], "th"), ...Object.keys(by).sort().map(method => row([method, ...kinds.map(kind => count(by[method], kind))], "td")));
}

// Buttons come when a figure is first seen: 500 figures hold thousands of pairs.
const seen = new IntersectionObserver(entries => entries.filter(entry => entry.isIntersecting).forEach(entry => equip(entry.target)), { rootMargin: "600px" });
function equip(card) {
  seen.unobserve(card);
  for (const pair of pairsOf.get(card)) {
    const group = document.createElement("div");
    group.className = "judge"; group.setAttribute("role", "group");
    group.setAttribute("aria-label", `Your opinion of ${made(pair).label || "panel " + pair.dataset.n}`);
    for (const [deed, text] of [["right", "Right"], ["wrong", "Wrong"], ["edit", "Correct…"], ["drop", "Leave out"]]) {
      const button = group.appendChild(document.createElement("button"));
      button.type = "button"; button.dataset.do = deed; button.textContent = text;
      button.disabled = deed === "right" && !made(pair).subcaption.trim();
    }
    pair.appendChild(group); paint(pair);
  }
}
reviewing.addEventListener("click", () => {
  const on = review.hidden;
  review.hidden = !on; reviewing.setAttribute("aria-pressed", on);
  for (const group of all(".judge, .editor")) group.remove();
  for (const handle of all(".handle")) handle.remove();
  for (const card of cards) if (on && card.dataset.image) seen.observe(card); else seen.unobserve(card);
  tally();
});
list.addEventListener("click", event => {
  const button = event.target.closest(".judge button");
  if (button) act(button.closest(".pair"), button.dataset.do);
});
one("#restart").addEventListener("click", () => {
  if (!confirm("Forget everything that you have said of this gallery?")) return;
  const pairs = judged();
  said = {};
  for (const pair of pairs) { edit(pair, false); keep(pair, {}); }
});
let url = "";
one("#save").addEventListener("click", () => {
  URL.revokeObjectURL(url);
  url = URL.createObjectURL(new Blob([corrections()], { type: "application/jsonl" }));
  Object.assign(document.createElement("a"), { href: url, download: "corrections.jsonl" }).click();
  kept = true;
});
addEventListener("beforeunload", event => { if (!kept && judged().length) event.preventDefault(); });

// The editor of one pair: label, text, box (four numbers, or dragged on the picture).
function field(within, text, tag, value, more = {}) {
  const label = within.appendChild(document.createElement("label"));
  label.append(text);
  return label.appendChild(Object.assign(document.createElement(tag), { className: "text", value, ...more }));
}
function edit(pair, on) {
  one(".editor", pair)?.remove();
  const box = boxOf(pair), card = cardOf(pair);
  if (box) { box.classList.toggle("editing", on); for (const handle of all(".handle", box)) handle.remove(); }
  if (!on) return;
  const own = said[key_of(pair)] || {}, was = made(pair), clauses = JSON.parse(card.dataset.clauses), [width, height] = numbers(card.dataset.size);
  const editor = pair.appendChild(document.createElement("div"));
  editor.className = "editor";
  const names = editor.appendChild(document.createElement("datalist"));
  names.id = `labels-${cards.indexOf(card)}-${pair.dataset.n}`;
  for (const value of Object.keys(clauses)) names.appendChild(document.createElement("option")).value = value;
  const label = field(editor, "Label", "input", own.label ?? was.label, { maxLength: 40, autocomplete: "off" });
  label.setAttribute("list", names.id);
  const text = field(editor, "Text", "textarea", own.subcaption ?? was.subcaption);
  const corners = editor.appendChild(document.createElement("div"));
  corners.className = "coordinates";
  const sides = ["left", "top", "right", "bottom"].map((name, i) => field(corners, name, "input", (own.new_box || was.new_box)[i],
    { type: "number", min: 0, max: i % 2 ? height : width, step: 1, title: "pixels of the original image" }));
  const change = more => keep(pair, { ...said[key_of(pair)], drop: false, ...more });
  label.addEventListener("input", () => {
    const clause = clauses[label.value.trim()];
    if (clause) text.value = clause;
    change({ label: label.value.trim(), subcaption: text.value });
  });
  text.addEventListener("input", () => change({ subcaption: text.value }));
  const whole = box => [box[0] < box[2], box[1] < box[3], box[0] >= 0, box[1] >= 0, box[2] <= width, box[3] <= height].every(Boolean);
  corners.addEventListener("input", () => {
    const drawn = sides.map(side => Math.round(side.value)), good = whole(drawn);
    for (const side of sides) side.setCustomValidity(good ? "" : "left < right, top < bottom, within the image");
    if (good) change({ new_box: drawn });
  });
  if (box) draggable(pair, box, width, height, drawn => { sides.forEach((side, i) => { side.value = drawn[i]; }); change({ new_box: drawn }); });
  label.focus();
}
function draggable(pair, box, width, height, moved) {
  for (const [i, j] of [[0, 1], [2, 1], [0, 3], [2, 3]]) {
    const handle = box.appendChild(document.createElement("span"));
    handle.className = "handle"; handle.dataset.sides = `${i},${j}`;
    Object.assign(handle.style, { left: i ? "100%" : "0", top: j === 3 ? "100%" : "0" });
  }
  box.onpointerdown = event => {
    if (!box.classList.contains("editing")) return;
    const from = said[key_of(pair)]?.new_box || made(pair).new_box, start = [event.clientX, event.clientY];
    const scale = width / one("img", box.parentElement).clientWidth, sides = event.target.dataset.sides && numbers(event.target.dataset.sides);
    box.setPointerCapture(event.pointerId);
    box.onpointermove = motion => {
      const by = [(motion.clientX - start[0]) * scale, (motion.clientY - start[1]) * scale].map(Math.round), to = [...from], ends = [width, height];
      for (const axis of [0, 1]) {
        if (!sides) { const shift = Math.min(Math.max(by[axis], -from[axis]), ends[axis] - from[axis + 2]); to[axis] += shift; to[axis + 2] += shift; }
        else if (sides[axis] < 2) to[axis] = Math.min(Math.max(from[axis] + by[axis], 0), from[axis + 2] - 4);
        else to[axis + 2] = Math.max(Math.min(from[axis + 2] + by[axis], ends[axis]), from[axis] + 4);
      }
      moved(to);
    };
    box.onpointerup = box.onpointercancel = () => { box.onpointermove = null; };
    event.preventDefault();
  };
}
