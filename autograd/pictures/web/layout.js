// Boxes in ranks, scope by scope: each open scope is laid out by itself and is one box of the scope around it,
// so no two clusters ever overlap. Everything is one pass or a few over the edges: 10,000 boxes take well under
// a second.
"use strict";

const GAP = { x: 26, y: 34, pad: 14, head: 22 };
const MOST_BENDS = 40000; // beyond, long edges run straight instead of around the boxes between

// items: [{w, h}], edges: [[tail, head]] by index, in an order in which tails come first where there is no cycle.
// `door` is the index of an item that stays in the first rank. Gives each item x, y (its upper left corner), and
// {w, h, bends: Map(edge index -> points)}.
function ranked(items, edges, door = -1) {
  const n = items.length;
  const outs = items.map(() => []), waits = new Int32Array(n), rank = new Int32Array(n);
  for (const [a, b] of edges) { outs[a].push(b); waits[b]++; }
  const hasInput = Array.from(waits, (w) => w > 0);
  const ready = [], done = new Uint8Array(n);
  for (let i = n - 1; i >= 0; i--) if (!waits[i]) ready.push(i);
  for (let count = 0, next = 0; count < n; ) {
    if (!ready.length) { while (done[next]) next++; ready.push(next); } // a cycle: begin somewhere
    const i = ready.pop();
    if (done[i]) continue;
    done[i] = 1; count++;
    for (const j of outs[i]) {
      if (done[j]) continue;
      rank[j] = Math.max(rank[j], rank[i] + 1);
      if (!--waits[j]) ready.push(j);
    }
  }
  for (let i = 0; i < n; i++) // what takes nothing stands just above its first user
    if (!hasInput[i] && i !== door && outs[i].length) rank[i] = Math.max(0, outs[i].reduce((m, j) => Math.min(m, rank[j]), 1e9) - 1);

  let total = 0;
  for (const [a, b] of edges) total += Math.max(0, rank[b] - rank[a] - 1);
  const bent = total <= MOST_BENDS;
  const cells = items.map((item, i) => ({ w: item.w, h: item.h, rank: rank[i], up: [], down: [], x: 0 }));
  const chains = new Map();
  edges.forEach(([a, b], e) => {
    let last = cells[a];
    const chain = [];
    if (bent) for (let r = rank[a] + 1; r < rank[b]; r++) {
      const bend = { w: 8, h: 0, rank: r, up: [last], down: [], x: 0 };
      last.down.push(bend); cells.push(bend); chain.push(bend); last = bend;
    }
    last.down.push(cells[b]); cells[b].up.push(last);
    if (chain.length) chains.set(e, chain);
  });

  const rows = [];
  for (const cell of cells) (rows[cell.rank] ||= []).push(cell);
  for (let r = 0; r < rows.length; r++) rows[r] ||= [];
  const place = () => rows.forEach((row) => row.forEach((cell, k) => { cell.k = k; }));
  const middle = (near) => near.reduce((sum, c) => sum + c.k, 0) / near.length;
  place();
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      if (row.length < 2) continue;
      for (const cell of row) { const near = down ? cell.up : cell.down; cell.wish = near.length ? middle(near) : cell.k; }
      row.sort((a, b) => a.wish - b.wish || a.k - b.k);
      row.forEach((cell, k) => { cell.k = k; });
    }
  }
  const room = (a, b) => (a.w + b.w) / 2 + GAP.x;
  for (const row of rows) { let x = 0; row.forEach((c, k) => { if (k) x += room(row[k - 1], c); c.x = x; }); }
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const cell of row) {
        const near = down ? (cell.up.length ? cell.up : cell.down) : (cell.down.length ? cell.down : cell.up);
        cell.wish = near.length ? near.reduce((sum, c) => sum + c.x, 0) / near.length : cell.x;
      }
      const left = [], right = [];
      row.forEach((c, k) => { left[k] = k ? Math.max(c.wish, left[k - 1] + room(row[k - 1], c)) : c.wish; });
      for (let k = row.length - 1; k >= 0; k--)
        right[k] = k < row.length - 1 ? Math.min(row[k].wish, right[k + 1] - room(row[k], row[k + 1])) : row[k].wish;
      row.forEach((c, k) => { c.x = (left[k] + right[k]) / 2; });
    }
  }
  let y = 0, low = Infinity, high = -Infinity;
  for (const row of rows) {
    let tallest = 0;
    for (const c of row) tallest = Math.max(tallest, c.h);
    for (const c of row) { c.y = y + tallest / 2; low = Math.min(low, c.x - c.w / 2); high = Math.max(high, c.x + c.w / 2); }
    y += tallest + GAP.y;
  }
  if (low > high) low = high = 0;
  items.forEach((item, i) => { item.x = cells[i].x - low - item.w / 2; item.y = cells[i].y - item.h / 2; });
  const bends = new Map();
  for (const [e, chain] of chains) bends.set(e, chain.map((c) => [c.x - low, c.y]));
  return { w: high - low, h: Math.max(0, y - GAP.y), bends };
}

// scope: {open, scopes, nodes, parent}; a closed scope and a node are boxes with w and h. `edges` are
// [tail, head] of boxes. Sets x and y of every box that is seen, and of every open scope; gives the lines. What
// comes from outside a scope enters it by a door at its top, and goes around the boxes within.
function layout(root, edges) {
  const depth = (item) => { let d = 0; for (let s = item.parent; s; s = s.parent) d++; return d; };
  const within = new Map(); // scope -> [[child or null for the door, child, edge]]
  const add = (scope, a, b, e) => { if (!within.has(scope)) within.set(scope, []); within.get(scope).push([a, b, e]); };
  const entered = edges.map(() => []); // the scopes that an edge enters, innermost first
  edges.forEach((edge, e) => {
    let [a, b] = edge, da = depth(a), db = depth(b);
    const enter = () => { entered[e].push(b.parent); add(b.parent, null, b, e); b = b.parent; db--; };
    while (da > db) { a = a.parent; da--; }
    while (db > da) enter();
    while (a.parent !== b.parent) { a = a.parent; enter(); }
    if (a !== b) add(a.parent, a, b, e);
  });
  const bends = new Map(); // scope -> Map(edge -> points within it)
  const inner = (scope) => {
    const items = [...scope.scopes.filter((s) => s.seen), ...scope.nodes.filter((n) => n.seen)];
    items.sort((a, b) => a.first - b.first);
    for (const item of items) if (item.open) inner(item);
    const own = within.get(scope) || [];
    scope.door = own.some(([a]) => !a) ? { w: 0, h: 0 } : null;
    if (scope.door) items.unshift(scope.door);
    const index = new Map(items.map((item, i) => [item, i]));
    const size = ranked(items, own.map(([a, b]) => [index.get(a || scope.door), index.get(b)]), scope.door ? 0 : -1);
    bends.set(scope, new Map(own.map(([, , e], k) => [e, size.bends.get(k) || []])));
    scope.w = size.w + 2 * GAP.pad;
    scope.h = size.h + 2 * GAP.pad + GAP.head;
    if (scope.parent) scope.w = Math.max(scope.w, scope.label);
  };
  inner(root);
  const settle = (scope, x, y) => {
    scope.x = x; scope.y = y;
    const left = x + GAP.pad, top = y + GAP.pad + GAP.head;
    for (const points of bends.get(scope).values()) for (const p of points) { p[0] += left; p[1] += top; }
    if (scope.door) { scope.door.x += left; scope.door.y = y + GAP.head + 2; }
    for (const item of [...scope.scopes, ...scope.nodes]) {
      if (!item.seen) continue;
      item.x += left; item.y += top;
      if (item.open) settle(item, item.x, item.y);
    }
  };
  settle(root, 0, 0);
  return edges.map(([a, b], e) => {
    const doors = entered[e].reverse(), outer = doors.length ? doors[0].parent : b.parent;
    const points = [[a.x + a.w / 2, a.y + a.h], ...(bends.get(outer).get(e) || [])];
    for (const scope of doors) points.push([scope.door.x, scope.door.y], ...bends.get(scope).get(e));
    return [...points, [b.x + b.w / 2, b.y]];
  });
}
