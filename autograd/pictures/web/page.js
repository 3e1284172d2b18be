// The page: what is open, what is in view, what is chosen.
"use strict";

const graph = JSON.parse(document.getElementById("graph").textContent);
const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  return element;
};
const html = (tag, attributes = {}, text) => {
  const element = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined) element.textContent = text;
  return element;
};
const MOST = 600;       // boxes drawn one by one; more are drawn as one path
const LEGIBLE = 0.32;   // scale below which text is not drawn
const LISTED = 100;     // search results in the list

// ---- the model: scopes and nodes are both "items"

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();
const measure = (text, font) => {
  const key = font + text;
  if (!widths.has(key)) { pen.font = font; widths.set(key, pen.measureText(text).width); }
  return widths.get(key);
};
const sized = (item) => {
  const wide = Math.max(measure(item.title, "600 13px sans-serif"), ...item.lines.map((t) => measure(t, "11px sans-serif")));
  item.boxW = Math.ceil(wide * 1.06) + 26;
  item.boxH = 26 + 14 * item.lines.length;
};
const scopes = graph.scopes.map((s, id) => ({
  ...s, id: "s" + id, kind: "module", scopes: [], nodes: [], open: true, first: Infinity, inputs: [], users: [],
}));
const root = scopes[0];
scopes.forEach((scope, id) => {
  scope.parent = id ? scopes[scope.in] : null;
  if (!id) return;
  scope.parent.scopes.push(scope);
  scope.label = measure(`${scope.name}: ${scope.title}`, "12px sans-serif") + 50;
  scope.lines = [scope.name, scope.parameters ? scope.parameters.toLocaleString("en") + " parameters" : "",
    scope.shape].filter(Boolean);
  sized(scope);
});
const nodes = graph.nodes.map((n, id) => {
  const node = { ...n, id: "n" + id, parent: scopes[n.in], first: id, inputs: [], users: [] };
  const seen = node.values.filter(Boolean).map((v) => [v.content, v.type, v.gradient && "grad " + v.gradient, v.norm && "|grad| " + v.norm].filter(Boolean));
  node.lines = [...node.notes.slice(0, 3), ...(seen[0] || []).join("\n").split("\n").slice(0, 5)].filter(Boolean)
    .map((line) => (line.length > 44 ? line.slice(0, 43) + "…" : line));
  sized(node);
  node.parent.nodes.push(node);
  for (let s = node.parent; s; s = s.parent) s.first = Math.min(s.first, id);
  return node;
});
graph.edges.forEach(([tail, head, output, slot]) => {
  nodes[head].inputs.push([nodes[tail], output, slot]);
  nodes[tail].users.push([nodes[head], output, slot]);
});
const items = new Map([...scopes.slice(1), ...nodes].map((item) => [item.id, item]));
const haystack = nodes.concat(scopes.slice(1)).map((item) => {
  const path = item.path || (item.parent && item.parent.path) || "";
  const types = item.values ? item.values.map((v) => (v ? `${v.name || ""} ${v.type}` : "")).join(" ") : item.shape || "";
  return [`${item.title} ${path} ${item.name || ""} ${types} ${(item.notes || []).join(" ")}`.toLowerCase(), item];
});

// ---- what is seen

let boxes = [], lines = [], view = { x: 0, y: 0, k: 1 }, chosen = null, hits = new Set();

function shut(level) {
  for (const scope of scopes.slice(1)) {
    scope.open = level === "op" || (level !== "architecture" && !(scope.leaf || (level === "block" && !scope.stack)));
    if (scope.parent !== root && level === "architecture") scope.open = false;
  }
}
function standsFor(item) {
  let top = item;
  for (let s = item.parent; s; s = s.parent) if (!s.open) top = s;
  return top;
}
function arrange() {
  for (const scope of scopes) scope.seen = scope === root || (standsFor(scope) === scope);
  boxes = [];
  const stand = new Map();
  for (const scope of scopes.slice(1)) {
    if (scope.seen && !scope.open) { scope.w = scope.boxW; scope.h = scope.boxH; boxes.push(scope); }
  }
  for (const node of nodes) {
    const top = standsFor(node);
    stand.set(node, top);
    node.seen = top === node;
    if (node.seen) { node.w = node.boxW; node.h = node.boxH; boxes.push(node); }
  }
  const known = new Set(), edges = [];
  for (const [tail, head] of graph.edges) {
    const a = stand.get(nodes[tail]), b = stand.get(nodes[head]), key = a.id + ">" + b.id;
    if (a !== b && !known.has(key)) { known.add(key); edges.push([a, b]); }
  }
  const paths = layout(root, edges);
  lines = paths.map((points, e) => {
    const ys = points.map((p) => p[1]), xs = points.map((p) => p[0]);
    return { a: edges[e][0], b: edges[e][1], points, top: Math.min(...ys), bottom: Math.max(...ys), left: Math.min(...xs), right: Math.max(...xs) };
  });
  drawn.clear();
  $("boxes").replaceChildren();
  if (!$("search").value) $("count").textContent = `${boxes.length.toLocaleString("en")} boxes`;
}
const curve = (points) => {
  let d = `M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x, y] = points[i], end = i === points.length - 1 ? y - 7 : y, m = (y0 + end) / 2;
    d += `C${x0.toFixed(1)} ${m.toFixed(1)} ${x.toFixed(1)} ${m.toFixed(1)} ${x.toFixed(1)} ${end.toFixed(1)}`;
  }
  return d;
};

// ---- drawing what is in view

const drawn = new Map(); // item -> its element
function boxElement(item) {
  const scope = item.kind === "module" && item.id[0] === "s";
  const g = make("g", { class: `box ${item.kind} ${item.health || ""}`, tabindex: 0, role: "button", id: item.id,
    "aria-label": `${item.kind} ${item.title}, ${item.lines.join(", ")}${scope ? ", closed" : ""}` });
  g.append(make("rect", { width: item.w, height: item.h, rx: ["op", "module", "rule"].includes(item.kind) ? 8 : 1 }));
  g.append(make("text", { class: "title", x: item.w / 2, y: 18 }, item.title + (scope ? "  ⊞" : "")));
  item.lines.forEach((line, i) => g.append(make("text", { x: item.w / 2, y: 32 + 14 * i }, line)));
  g.setAttribute("transform", `translate(${item.x} ${item.y})`);
  return g;
}
let waiting = false;
function draw() { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; paint(); }); } }
function paint() {
  const { clientWidth: W, clientHeight: H } = $("canvas"), { x, y, k } = view;
  $("world").setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
  const left = -x / k, top = -y / k, right = (W - x) / k, bottom = (H - y) / k;
  const within = (item) => item.x < right && item.x + item.w > left && item.y < bottom && item.y + item.h > top;
  const near = boxes.filter(within), far = k < LEGIBLE || near.length > MOST;
  $("clusters").replaceChildren(...scopes.slice(1).filter((s) => s.open && s.seen && s.first < Infinity && within(s)).map((s) => {
    const g = make("g", { class: "cluster", "data-scope": s.id });
    g.append(make("rect", { x: s.x, y: s.y, width: s.w, height: s.h, rx: 10 }));
    if (!far) g.append(make("text", { x: s.x + 10, y: s.y + 17 }, `⊟ ${s.name}: ${s.title}`));
    return g;
  }));
  const shown = lines.filter((l) => l.left < right && l.right > left && l.top < bottom && l.bottom > top);
  $("lines").setAttribute("d", shown.map((l) => far ? "M" + l.points.map((p) => p.map(Math.round).join(" ")).join("L") : curve(l.points)).join(""));
  $("tips").setAttribute("d", far ? "" : shown.map((l) => { const [px, py] = l.points[l.points.length - 1]; return `M${px} ${py}l-4 -8h8z`; }).join(""));
  const picked = chosen && standsFor(chosen);
  $("chosen").setAttribute("d", picked ? shown.filter((l) => l.a === picked || l.b === picked).map((l) => curve(l.points)).join("") : "");
  const keep = new Set(far ? [] : near);
  for (const [item, element] of drawn) if (!keep.has(item)) { element.remove(); drawn.delete(item); }
  const kinds = {};
  if (far) for (const item of near) {
    (kinds[hits.has(item) ? "hit" : item.kind] ||= []).push(`M${item.x | 0} ${item.y | 0}h${item.w | 0}v${item.h | 0}h-${item.w | 0}z`);
  }
  $("far").replaceChildren(...Object.entries(kinds).map(([kind, d]) => make("path", { class: kind, d: d.join("") })));
  for (const item of keep) {
    if (!drawn.has(item)) { const element = boxElement(item); drawn.set(item, element); $("boxes").append(element); }
    drawn.get(item).classList.toggle("on", item === picked);
    drawn.get(item).classList.toggle("hit", hits.has(item));
  }
}

// ---- moving

function zoom(factor, cx = $("canvas").clientWidth / 2, cy = $("canvas").clientHeight / 2) {
  const k = Math.min(4, Math.max(0.002, view.k * factor));
  view = { x: cx - (cx - view.x) * (k / view.k), y: cy - (cy - view.y) * (k / view.k), k };
  draw();
}
function fit(least = 0) {
  const { clientWidth: W, clientHeight: H } = $("canvas");
  const k = Math.max(least, Math.min(1.4, W / root.w, H / root.h));
  view = { x: (W - root.w * k) / 2, y: Math.max(0, (H - root.h * k) / 2), k };
  const start = boxes.reduce((a, b) => (b.y < a.y ? b : a), boxes[0]);
  if (start && root.w * k > W) view.x = W / 2 - (start.x + start.w / 2) * k; // begin where the graph begins
  draw();
}
function centre(item) {
  const { clientWidth: W, clientHeight: H } = $("canvas");
  const k = Math.max(view.k, 0.7);
  view = { x: W / 2 - (item.x + item.w / 2) * k, y: H / 2 - (item.y + item.h / 2) * k, k };
}
function inView(item) {
  const { clientWidth: W, clientHeight: H } = $("canvas"), { x, y, k } = view;
  return k >= LEGIBLE && item.x * k + x > 0 && (item.x + item.w) * k + x < W && item.y * k + y > 0 && (item.y + item.h) * k + y < H;
}
function choose(item, focus = true) {
  for (let s = item.parent; s; s = s.parent) if (!s.open) { s.open = true; item.hidden = true; }
  if (item.hidden) { item.hidden = false; arrange(); }
  chosen = item;
  if (!item.open || item.id[0] === "n") { if (!inView(item)) centre(item); } else centre(item);
  tell(item);
  paint();
  if (focus && drawn.has(item)) drawn.get(item).focus({ preventScroll: true });
}
function toggle(scope, open) {
  const before = { x: scope.x * view.k + view.x, y: scope.y * view.k + view.y };
  scope.open = open;
  arrange();
  view.x = before.x - scope.x * view.k; view.y = before.y - scope.y * view.k; // it stays where it is on the screen
  chosen = scope;
  if (!open) tell(scope);
  paint();
  const next = open ? scope.nodes.concat(scope.scopes).find((item) => drawn.has(item)) : scope;
  if (next && drawn.has(next)) drawn.get(next).focus({ preventScroll: true });
}

// ---- telling

function bars(histogram, kind) {
  const box = html("div", { className: kind }), top = Math.max(1, ...histogram.counts), n = histogram.counts.length;
  const svg = make("svg", { viewBox: "0 0 240 80", preserveAspectRatio: "none", role: "img",
    "aria-label": `histogram from ${histogram.low} to ${histogram.high}, ${histogram.counts.join(" ")}` });
  histogram.counts.forEach((c, i) => svg.append(make("rect", { x: (240 / n) * i + 0.5, width: Math.max(1, 240 / n - 1), y: 80 - (78 * c) / top, height: (78 * c) / top })));
  const scale = html("div", { className: "scale" });
  scale.append(html("span", {}, histogram.low), html("span", {}, histogram.high));
  box.append(svg, scale);
  if (histogram.bad) box.append(html("p", {}, `${histogram.bad} not finite`));
  return box;
}
function tell(item) {
  const about = $("about");
  const close = html("button", { className: "close", onclick: hush }, "×");
  close.setAttribute("aria-label", "Close");
  about.replaceChildren(close, html("h2", {}, item.title));
  const say = (title, text) => { if (text) about.append(html("h3", {}, title), html("pre", {}, text)); };
  const paths = [];
  for (let s = item.parent; s && s.parent; s = s.parent) paths.unshift(s.name);
  say(item.kind, [...paths, item.name].filter(Boolean).join(" › ") || item.help);
  if (item.id[0] === "s") {
    say("Output", item.shape);
    say("Parameters", item.parameters ? item.parameters.toLocaleString("en") : "none");
    say("Arguments", item.arguments);
    about.append(html("button", { onclick: () => toggle(item, !item.open) }, item.open ? "Close module" : "Open module"));
    about.hidden = false;
    return;
  }
  if (paths.length) say("About", item.help);
  say("Options", item.notes.join("\n"));
  for (const value of item.values) {
    if (!value) continue;
    say(value.name ? `Value ${value.name}` : "Value", value.type + (value.content ? `\n${value.content}` : ""));
    if (value.histogram) about.append(bars(value.histogram, "value"));
    if (value.gradient || value.norm) say("Gradient", [value.gradient, value.norm && `norm ${value.norm}${value.health ? ", " + value.health : ""}`].filter(Boolean).join("\n"));
    if (value.gradient_histogram) { if (!value.gradient && !value.norm) say("Gradient", " "); about.append(bars(value.gradient_histogram, "gradient")); }
  }
  say("Rule", item.rule);
  say("Kept for backward", item.kept);
  say("Time", item.time);
  say("Source", item.line);
  const list = (title, near) => {
    if (!near.length) return;
    about.append(html("h3", {}, title));
    for (const [other, , slot] of near.slice(0, 40)) {
      const label = (title === "Inputs" && slot ? slot + ": " : "") + other.title;
      about.append(html("button", { className: "link", onclick: () => choose(other) }, label));
    }
  };
  list("Inputs", item.inputs);
  list("Users", item.users);
  about.hidden = false;
}
function hush() { $("about").hidden = true; $("canvas").focus(); draw(); }

// ---- searching

let found = [], at = -1;
function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  found = words.length ? haystack.filter(([hay]) => words.every((w) => hay.includes(w))).map(([, item]) => item) : [];
  hits = new Set(found.map(standsFor));
  at = -1;
  $("count").textContent = words.length ? `${found.length.toLocaleString("en")} found` : `${boxes.length.toLocaleString("en")} boxes`;
  $("hits").hidden = !found.length;
  $("hits").replaceChildren(...found.slice(0, LISTED).map((item, i) => {
    const li = html("li", { id: "hit" + i, role: "option", onclick: () => { $("hits").hidden = true; choose(item); } }, item.title + " ");
    li.append(html("small", {}, [item.path || item.parent.path, item.shape || (item.values && item.values[0] && item.values[0].type)].filter(Boolean).join("  ")));
    return li;
  }));
  paint();
}
function step(by) {
  const count = Math.min(found.length, LISTED);
  if (!count) return;
  at = (at + by + count) % count;
  $("search").setAttribute("aria-activedescendant", "hit" + at);
  [...$("hits").children].forEach((li, i) => li.setAttribute("aria-selected", i === at));
  $("hits").children[at].scrollIntoView({ block: "nearest" });
}

// ---- hands

const itemOf = (target) => items.get(target.closest && target.closest(".box") ? target.closest(".box").id : "");
$("search").addEventListener("input", (e) => search(e.target.value));
$("search").addEventListener("keydown", (e) => {
  if (e.key === "ArrowDown" || e.key === "ArrowUp") { step(e.key === "ArrowDown" ? 1 : -1); e.preventDefault(); }
  if (e.key === "Enter" && found.length) { $("hits").hidden = true; choose(found[Math.max(0, at)]); }
  if (e.key === "Escape") { e.target.value = ""; search(""); $("canvas").focus(); }
});
document.addEventListener("keydown", (e) => {
  if (e.target.matches("input, select, button") || e.ctrlKey || e.metaKey || e.altKey) return;
  const item = itemOf(e.target), on = item || (chosen && standsFor(chosen));
  const go = (other) => { if (other) { choose(other); } };
  const beside = (by) => {
    const row = on && boxes.filter((b) => b.parent === on.parent && Math.abs(b.y + b.h / 2 - on.y - on.h / 2) < 1).sort((a, b) => a.x - b.x);
    return row && row[row.indexOf(on) + by];
  };
  const along = (up) => { const l = on && lines.find((l) => (up ? l.b : l.a) === on); return l && (up ? l.a : l.b); };
  const keys = {
    "/": () => $("search").focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => fit(),
    Escape: hush, ArrowUp: () => go(along(true) || (!on && boxes[0])), ArrowDown: () => go(along(false) || (!on && boxes[0])),
    ArrowLeft: () => go(beside(-1)), ArrowRight: () => go(beside(1)),
    Enter: () => { if (on && on.id[0] === "s") toggle(on, true); else go(on); },
    c: () => { if (on && on.parent && on.parent !== root) toggle(on.parent, false); },
  };
  keys[" "] = keys.Enter;
  if (keys[e.key]) { keys[e.key](); e.preventDefault(); }
});
$("canvas").addEventListener("click", (e) => {
  if (moved) return;
  const item = itemOf(e.target), cluster = e.target.closest(".cluster");
  if (item) choose(item);
  else if (cluster && e.target.tagName === "text") toggle(items.get(cluster.dataset.scope), false);
});
$("canvas").addEventListener("dblclick", (e) => { const item = itemOf(e.target); if (item && item.id[0] === "s") toggle(item, true); });
$("canvas").addEventListener("focusin", (e) => { const item = itemOf(e.target); if (item && !inView(item)) { centre(item); draw(); } });
let hold = null, moved = false;
$("canvas").addEventListener("pointerdown", (e) => { hold = { x: e.clientX, y: e.clientY, view: { ...view } }; moved = false; });
window.addEventListener("pointermove", (e) => {
  if (!hold || !e.buttons) { hold = null; return; }
  const dx = e.clientX - hold.x, dy = e.clientY - hold.y;
  if (Math.abs(dx) + Math.abs(dy) > 4) { moved = true; $("canvas").classList.add("dragged"); }
  view = { ...view, x: hold.view.x + dx, y: hold.view.y + dy };
  draw();
});
window.addEventListener("pointerup", () => { hold = null; $("canvas").classList.remove("dragged"); });
$("canvas").addEventListener("wheel", (e) => {
  const frame = $("canvas").getBoundingClientRect();
  zoom(Math.exp(-e.deltaY * 0.0015), e.clientX - frame.left, e.clientY - frame.top);
  e.preventDefault();
}, { passive: false });
$("in").onclick = () => zoom(1.25);
$("out").onclick = () => zoom(0.8);
$("fit").onclick = () => fit();
$("open").onclick = () => { shut("op"); arrange(); fit(); };
$("level").onchange = (e) => { shut(e.target.value); arrange(); fit(0.8); search($("search").value); };
$("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
};
window.addEventListener("resize", draw);

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const levels = ["architecture", "block", "layer", "op"];
$("level").value = levels.includes(graph.level) ? graph.level : "op";
$("level").parentElement.hidden = scopes.length < 2;
$("open").hidden = scopes.length < 2;
shut($("level").value);
arrange();
fit(0.8);
search("");
performance.mark("ready");
