"use strict";
// Draws the graph in #data. Every group that is open is laid out by itself, layer by layer (Sugiyama's method), and then
// is one box of the group around it; so what is folded costs nothing, however large it is.

const graph = JSON.parse(document.getElementById("data").textContent);
const { groups, items, edges, types } = graph;
const NAMESPACE = "http://www.w3.org/2000/svg";
const drawing = document.getElementById("drawing");
const picture = document.getElementById("picture");
const GAP = 18, RANK = 44, PAD = 14, HEAD = 26, LINE = 15;
const KINDS = {
  input: "input", parameter: "trained variable", state: "other variable", constant: "constant", op: "op",
  output: "output", update: "new value of a variable", group: "folded layer or part",
};

groups.forEach((group, number) => { group.number = number; group.groups = []; group.items = []; group.first = Infinity; });
items.forEach((item, number) => { item.number = number; groups[item.group].items.push(item); });
groups.forEach((group) => { if (group.parent >= 0) groups[group.parent].groups.push(group); });
for (let number = groups.length - 1; number >= 0; number--) {
  const group = groups[number];
  group.items.forEach((item) => { group.first = Math.min(group.first, item.number); });
  if (group.parent >= 0) groups[group.parent].first = Math.min(groups[group.parent].first, group.first);
}
groups[0].open = true;

function above(group) { // the groups around a group, itself included, innermost first
  const found = [];
  for (let number = group; number >= 0; number = groups[number].parent) found.push(number);
  return found;
}

function boxOf(item) { // what stands for an item: itself, or the outermost folded group around it
  let found = item;
  for (const number of above(item.group)) if (!groups[number].open) found = groups[number];
  return found;
}

// --- layout

const ruler = document.createElement("canvas").getContext("2d");
function width(text, size) { ruler.font = `${size}px system-ui, sans-serif`; return ruler.measureText(text).width; }

function lines(box) {
  if (box.kind === undefined) {
    const about = [];
    if (box.ops) about.push(`${box.ops} op${box.ops === 1 ? "" : "s"}`);
    if (box.parameters) about.push(`${short(box.parameters)} parameters`);
    return [box.name, about.join(", ")];
  }
  if (box.kind === "op") return [box.label, ""];
  return [box.label, types[box.type] + (box.parameters ? `, ${short(box.parameters)} parameters` : "")];
}

function short(count) {
  for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]])
    if (count >= size) return (count / size).toPrecision(3) + unit;
  return String(count);
}

function measure(box) {
  const [name, about] = lines(box);
  box.w = Math.max(width(name, 12), width(about, 10), 24) + 20;
  box.h = 12 + LINE + (about ? 13 : 0);
}

function layOut(group, links) { // sets the size of a group, and the places of what is in it, relative to it
  const inside = [...group.items, ...group.groups];
  inside.forEach((box) => { if (box.open) layOut(box, links); else measure(box); });
  inside.sort((a, b) => place(a) - place(b));
  const index = new Map(inside.map((box, number) => [box, number]));
  const nodes = inside.map((box) => ({ box, w: box.w, h: box.h, up: [], down: [], rank: 0, x: 0 }));
  const own = (links.get(group) || []).map(([a, b, link]) => [nodes[index.get(a)], nodes[index.get(b)], link]);
  const seen = new Set();
  const arcs = [];
  for (const [a, b, link] of own) {
    const isBack = index.get(a.box) > index.get(b.box);
    const [low, high] = isBack ? [b, a] : [a, b];
    arcs.push({ low, high, link, isBack });
    const name = `${index.get(low.box)} ${index.get(high.box)}`;
    if (!seen.has(name)) { seen.add(name); low.down.push(high); high.up.push(low); }
  }
  for (const node of nodes) for (const next of node.down) next.rank = Math.max(next.rank, node.rank + 1);
  for (const node of [...nodes].reverse()) // variables and constants stand right above their users
    if (!node.up.length && node.down.length) node.rank = Math.min(...node.down.map((next) => next.rank)) - 1;
  const ranks = [];
  const put = (node) => (ranks[node.rank] = ranks[node.rank] || []).push(node);
  nodes.forEach(put);
  const isLarge = arcs.reduce((sum, arc) => sum + arc.high.rank - arc.low.rank, 0) > 6000;
  const chains = new Map();
  for (const arc of arcs) { // edges that pass ranks get a place in each of them
    const name = `${index.get(arc.low.box)} ${index.get(arc.high.box)}`;
    if (!chains.has(name)) {
      const chain = [];
      if (arc.high.rank - arc.low.rank > 1 && !isLarge) {
        let before = arc.low;
        drop(before.down, arc.high); drop(arc.high.up, arc.low);
        for (let rank = arc.low.rank + 1; rank < arc.high.rank; rank++) {
          const bend = { box: null, w: 8, h: 0, up: [before], down: [], rank, x: 0 };
          before.down.push(bend); put(bend); chain.push(bend); before = bend;
        }
        before.down.push(arc.high); arc.high.up.push(before);
      }
      chains.set(name, chain);
    }
    arc.link.chain = chains.get(name); arc.link.isBack = arc.isBack; arc.link.home = group;
  }
  for (let rank = 0; rank < ranks.length; rank++) ranks[rank] = ranks[rank] || [];
  arrange(ranks);
  let y = group.parent >= 0 ? HEAD + PAD / 2 : PAD;
  for (const row of ranks) {
    const tall = Math.max(0, ...row.map((node) => node.h));
    row.forEach((node) => { node.y = y + tall / 2; });
    y += tall + RANK;
  }
  const all = ranks.flat();
  const left = Math.min(...all.map((node) => node.x - node.w / 2), 0);
  let right = 0;
  for (const node of all) { node.x += PAD - left; right = Math.max(right, node.x + node.w / 2); }
  nodes.forEach((node) => { node.box.x = node.x - node.w / 2; node.box.y = node.y - node.h / 2; });
  const [name, about] = lines(group);
  group.w = Math.max(right + PAD, width(`${name}  ${about}`, 12) + 30);
  group.h = Math.max(y - RANK + PAD, HEAD + PAD);
}

function place(box) { return box.kind === undefined ? box.first : box.number; }
function drop(list, item) { const at = list.indexOf(item); if (at >= 0) list.splice(at, 1); }

function arrange(ranks) { // the order in each rank by the mean place of neighbours, then places that keep the order
  ranks.forEach((row) => row.forEach((node, at) => { node.at = at; }));
  for (let sweep = 0; sweep < 8; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const row of isDown ? ranks : [...ranks].reverse()) {
      row.forEach((node) => {
        const beside = isDown ? node.up : node.down;
        node.wish = beside.length ? beside.reduce((sum, other) => sum + other.at, 0) / beside.length : node.at;
      });
      row.sort((a, b) => a.wish - b.wish || a.at - b.at);
      row.forEach((node, at) => { node.at = at; });
    }
  }
  for (const row of ranks) {
    let x = 0;
    for (const node of row) { node.x = x + node.w / 2; x += node.w + GAP; }
    row.forEach((node) => { node.x -= x / 2; });
  }
  for (let sweep = 0; sweep < 12; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const row of isDown ? ranks : [...ranks].reverse()) {
      row.forEach((node) => {
        const beside = (isDown ? node.up : node.down).map((other) => other.x).sort((a, b) => a - b);
        const middle = beside.length >> 1;
        node.wish = !beside.length ? node.x : beside.length % 2 ? beside[middle] : (beside[middle - 1] + beside[middle]) / 2;
      });
      settle(row);
    }
  }
}

function settle(row) { // moves nodes to where they wish to be, as near as their neighbours allow: means of blocks that touch
  const blocks = [];
  let offset = 0;
  for (const node of row) {
    offset += node.w / 2;
    let block = { nodes: [[node, offset]], sum: node.wish - offset, count: 1 };
    offset += node.w / 2 + GAP;
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].count > block.sum / block.count) {
      const before = blocks.pop();
      block = { nodes: [...before.nodes, ...block.nodes], sum: before.sum + block.sum, count: before.count + block.count };
    }
    blocks.push(block);
  }
  for (const block of blocks) for (const [node, at] of block.nodes) node.x = block.sum / block.count + at;
}

// --- drawing

let chosen = null, hits = new Set(), shown = [], linkList = [];

function refresh() {
  const found = new Map();
  for (const [source, target, type] of edges) {
    const a = boxOf(items[source]), b = boxOf(items[target]);
    if (a === b) continue;
    const name = `${a.kind === undefined ? "g" : "n"}${a.number} ${b.kind === undefined ? "g" : "n"}${b.number}`;
    if (!found.has(name)) found.set(name, { a, b, tensors: new Map(), chain: [] });
    found.get(name).tensors.set(`${source} ${type}`, types[type]);
  }
  linkList = [...found.values()];
  const links = new Map();
  for (const link of linkList) {
    const [home, a, b] = common(link.a, link.b);
    if (!links.has(home)) links.set(home, []);
    links.get(home).push([a, b, link]);
  }
  layOut(groups[0], links);
  draw();
}

function chain(box) { // the box and the groups around it, outermost first
  const found = [box];
  let number = around(box);
  for (; number >= 0; number = groups[number].parent) found.push(groups[number]);
  return found.reverse();
}

function common(a, b) { // the group in which two boxes are apart, and what stands for them in it
  const first = chain(a), second = chain(b);
  let depth = 0;
  while (first[depth + 1] === second[depth + 1]) depth++;
  return [first[depth], first[depth + 1], second[depth + 1]];
}

function element(name, attributes, parent, text) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function draw() {
  drawing.textContent = "";
  shown = [];
  const boxes = element("g", {}, drawing), lower = element("g", {}, drawing), upper = element("g", {}, drawing);
  placeAll(groups[0], 0, 0, boxes, upper);
  const hasLabels = linkList.length <= 160;
  for (const link of linkList) drawLink(link, lower, hasLabels);
  lower.parentNode.appendChild(upper);
  const ops = groups[0].ops, parameters = groups[0].parameters;
  document.getElementById("count").textContent =
    `${shown.length} boxes shown, ${ops} ops` + (parameters ? `, ${short(parameters)} parameters` : "");
}

function placeAll(group, x, y, boxes, upper) {
  group.left = x; group.top = y;
  for (const box of [...group.items, ...group.groups]) {
    box.left = x + box.x; box.top = y + box.y;
    const isGroup = box.kind === undefined;
    const kind = isGroup ? (box.open ? "group open" : "group") : box.kind;
    const made = element("g", { class: `box ${kind}`, transform: `translate(${box.left} ${box.top})`, tabindex: 0,
      role: "button" }, isGroup && box.open ? boxes : upper);
    if (isGroup) made.setAttribute("aria-expanded", String(box.open));
    made.id = (isGroup ? "g" : "n") + box.number;
    const round = isGroup ? 4 : ["input", "output"].includes(box.kind) ? box.h / 2 : box.kind === "op" ? 8 : 0;
    element("rect", { width: box.w, height: box.h, rx: round }, made);
    const [name, about] = lines(box);
    made.setAttribute("aria-label", `${isGroup ? "layer" : KINDS[box.kind]} ${name} ${about}`);
    if (isGroup && box.open) {
      element("text", { x: 10, y: 18 }, made, name);
      element("text", { x: 18 + width(name, 12.8), y: 18, class: "small" }, made, about);
    } else {
      element("text", { x: box.w / 2, y: 20, "text-anchor": "middle" }, made, name);
      if (about) element("text", { x: box.w / 2, y: 34, "text-anchor": "middle", class: "small" }, made, about);
      shown.push(box);
    }
    if (box === chosen) made.classList.add("chosen");
    if (hits.has(box)) made.classList.add("hit");
    made.addEventListener("click", (event) => { event.stopPropagation(); if (!dragged) press(box); });
    made.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(box); document.getElementById(made.id)?.focus(); }
    });
    if (isGroup && box.open) placeAll(box, box.left, box.top, boxes, upper);
  }
}

function around(box) { return box.kind === undefined ? box.parent : box.group; }

function drawLink(link, layer, hasLabels) {
  const { a, b } = link;
  const points = [];
  const bends = (link.chain || []).map((bend) => [link.home.left + bend.x, link.home.top + bend.y]);
  if (link.isBack) bends.reverse();
  const from = [a.left + a.w / 2, link.isBack ? a.top : a.top + a.h];
  const to = [b.left + b.w / 2, link.isBack ? b.top + b.h : b.top];
  points.push(from, ...bends, to);
  let path = `M${from[0]} ${from[1]}`;
  for (let at = 1; at < points.length; at++) {
    const [x, y] = points[at], [px, py] = points[at - 1], half = (y - py) / 2;
    path += `C${px} ${py + half} ${x} ${y - half} ${x} ${y}`;
  }
  const isFar = around(a) !== around(b) && points.length > 2; // from a layer to its backward pass, mostly
  const kind = `edge${link.isBack ? " back" : ""}${isFar ? " far" : ""}`;
  const made = element("path", { d: path, class: kind, "marker-end": "url(#arrow)" }, layer);
  const texts = [...new Set(link.tensors.values())];
  const text = link.tensors.size > 1 ? `${link.tensors.size} tensors` : texts[0];
  element("title", {}, made, texts.join("\n"));
  const isLit = chosen && (a === chosen || b === chosen);
  if (isLit) made.classList.add("lit");
  const isTold = !["parameter", "state", "input", "constant"].includes(a.kind) && !["output", "update"].includes(b.kind);
  if (isLit || (hasLabels && !isFar && (isTold || link.tensors.size > 1))) {
    const next = points[1];
    element("text", { x: (from[0] + next[0]) / 2, y: (from[1] + next[1]) / 2 + 3, class: "type" }, layer, text);
  }
}

// --- what the reader does

function press(box) {
  const isGroup = box.kind === undefined;
  const before = [box.left, box.top];
  if (isGroup) { box.open = !box.open; chosen = null; } else chosen = box;
  if (isGroup) refresh(); else draw();
  if (isGroup) { view.x += (box.left - before[0]); view.y += (box.top - before[1]); show(); } // it stays under the pointer
  tell(box);
}

function tell(box) {
  const about = document.getElementById("about");
  about.textContent = "";
  const add = (name, parent, text) => { const made = document.createElement(name); made.textContent = text ?? ""; parent.appendChild(made); return made; };
  const isGroup = box.kind === undefined;
  add("h2", about, isGroup ? box.name : box.label);
  const list = add("dl", about);
  const row = (name, value) => { add("dt", list, name); add("dd", list, value); };
  if (isGroup) {
    row("what", "a layer or part"); row("ops", box.ops); row("parameters", box.parameters.toLocaleString("en"));
    row("path", chain(box).slice(1).map((group) => group.name).join(" / "));
    return;
  }
  row("what", KINDS[box.kind]); row("type", types[box.type]);
  if (box.parameters) row("parameters", box.parameters.toLocaleString("en"));
  for (const [name, value] of box.about) row(name, value);
  const near = (title, numbers) => {
    if (!numbers.length) return;
    add("dt", list, title);
    const ul = add("ul", add("dd", list));
    for (const number of [...new Set(numbers)].slice(0, 30)) {
      const button = add("button", add("li", ul), `${items[number].label}  ${types[items[number].type]}`);
      button.addEventListener("click", () => go(items[number]));
    }
  };
  near("from", edges.filter((edge) => edge[1] === box.number).map((edge) => edge[0]));
  near("to", edges.filter((edge) => edge[0] === box.number).map((edge) => edge[1]));
}

function go(box) { // unfolds what is around a box, and brings it to the middle
  for (const group of chain(box).slice(0, -1)) group.open = true;
  if (box.kind !== undefined) chosen = box;
  refresh();
  view.x = box.left + box.w / 2 - view.w / 2; view.y = box.top + box.h / 2 - view.h / 2;
  show(); tell(box);
}

function find(text) {
  hits = new Set();
  const section = document.getElementById("found");
  section.textContent = "";
  section.hidden = !text;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) {
    const matches = (parts) => { const all = parts.join(" ").toLowerCase(); return words.every((word) => all.includes(word)); };
    const list = [
      ...groups.filter((group) => group.parent >= 0 && matches([group.name])),
      ...items.filter((item) => matches([item.label, types[item.type], KINDS[item.kind], ...item.about.map((pair) => pair[1])])),
    ];
    list.forEach((box) => hits.add(box));
    list.forEach((box) => { const seen = chain(box).find((each) => !each.open); if (seen) hits.add(seen); });
    const head = document.createElement("h2");
    head.textContent = `${list.length} found`;
    const ul = document.createElement("ul");
    for (const box of list.slice(0, 60)) {
      const button = document.createElement("button");
      const around = chain(box).slice(1, -1).map((group) => group.name).join(" / ");
      button.textContent = `${box.label ?? box.name}  ${around}`;
      button.addEventListener("click", () => go(box));
      const li = document.createElement("li");
      li.appendChild(button); ul.appendChild(li);
    }
    section.append(head, ul);
  }
  draw();
}

const view = { x: 0, y: 0, w: 100, h: 100 };
function show() { picture.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`); }
function size() { const box = picture.getBoundingClientRect(); return [Math.max(box.width, 50), Math.max(box.height, 50)]; }

function fit() { // the whole graph, but never so small that nobody can read it
  const [w, h] = size(), whole = groups[0];
  const factor = Math.max(Math.min(w / (whole.w + 20), h / (whole.h + 20), 1.4), 0.7);
  view.w = w / factor; view.h = h / factor;
  view.x = (whole.w - view.w) / 2;
  view.y = whole.h + 20 > view.h ? -10 : (whole.h - view.h) / 2;
  show();
}

function zoom(factor, fx = 0.5, fy = 0.5) {
  view.x += view.w * fx * (1 - factor); view.y += view.h * fy * (1 - factor);
  view.w *= factor; view.h *= factor; show();
}

picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = picture.getBoundingClientRect();
  zoom(Math.exp(event.deltaY * 0.0015), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}, { passive: false });

let dragged = false, hold = null;
picture.addEventListener("pointerdown", (event) => { hold = [event.clientX, event.clientY, view.x, view.y]; dragged = false; });
window.addEventListener("pointermove", (event) => {
  if (!hold) return;
  const dx = event.clientX - hold[0], dy = event.clientY - hold[1];
  if (Math.abs(dx) + Math.abs(dy) > 4) { dragged = true; picture.classList.add("moved"); }
  if (!dragged) return;
  const scale = view.w / size()[0];
  view.x = hold[2] - dx * scale; view.y = hold[3] - dy * scale; show();
});
window.addEventListener("pointerup", () => { hold = null; picture.classList.remove("moved"); setTimeout(() => { dragged = false; }, 0); });
window.addEventListener("resize", fit);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement.id !== "search") { event.preventDefault(); document.getElementById("search").focus(); }
});
document.getElementById("search").addEventListener("input", (event) => find(event.target.value));
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("larger").addEventListener("click", () => zoom(0.8));
document.getElementById("smaller").addEventListener("click", () => zoom(1.25));
document.getElementById("fold").addEventListener("click", () => { groups.forEach((group) => { group.open = group.parent < 0; }); refresh(); fit(); });
document.getElementById("unfold").addEventListener("click", () => {
  const folded = shown.filter((box) => box.kind === undefined);
  const least = Math.min(...folded.map((group) => chain(group).length));
  folded.forEach((group) => { if (chain(group).length === least) group.open = true; });
  refresh(); fit();
});
for (const kind in KINDS) {
  if (kind !== "group" && !items.some((item) => item.kind === kind)) continue;
  const row = document.createElement("li"), swatch = document.createElement("span");
  swatch.className = `swatch ${kind}`;
  row.append(swatch, KINDS[kind]);
  document.getElementById("legend").appendChild(row);
}

refresh();
fit();
// An address such as graph.html#search=conv or graph.html#open=all is a picture of that state.
const asked = new URLSearchParams(location.hash.slice(1));
if (asked.get("open") === "all") { groups.forEach((group) => { group.open = true; }); refresh(); fit(); }
if (asked.get("search")) { document.getElementById("search").value = asked.get("search"); find(asked.get("search")); }
