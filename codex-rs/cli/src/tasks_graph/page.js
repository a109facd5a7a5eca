'use strict';
(() => {
  const at = id => document.getElementById(id);
  const tasks = JSON.parse(at('tasks').textContent);
  const graph = at('graph'), world = at('world'), words = at('words'), details = at('details');
  const boxes = [...world.querySelectorAll('.task')];
  const ways = [...world.querySelectorAll('.way')];
  const size = { width: +world.dataset.width, height: +world.dataset.height };
  const place = boxes.map(box => {
    const [x, y] = box.getAttribute('transform').match(/-?[\d.]+/g).map(Number);
    return { x: x + 108, y: y + 23 };
  });
  const haystacks = tasks.map(task =>
    [task.id, task.title, task.status, task.owner && '@' + task.owner, task.milestone, 'p' + task.priority]
      .filter(Boolean).join('\n').toLowerCase());

  // Moving and zooming: one transform of the whole picture.
  let view = { x: 0, y: 0, scale: 1 };
  const limit = scale => Math.min(4, Math.max(0.02, scale));
  const show = () => {
    world.setAttribute('transform', `translate(${view.x} ${view.y}) scale(${view.scale})`);
    at('scale').value = Math.round(view.scale * 100) + '%';
  };
  const room = () => {
    const whole = graph.getBoundingClientRect();
    const covered = details.hidden || whole.width < 700 ? 0 : details.getBoundingClientRect().width;
    return { left: whole.left, top: whole.top, width: whole.width - covered, height: whole.height };
  };
  const zoom = (factor, x, y) => {
    const { width, height } = room();
    const cx = x ?? width / 2, cy = y ?? height / 2, scale = limit(view.scale * factor);
    view = { x: cx - (cx - view.x) * scale / view.scale, y: cy - (cy - view.y) * scale / view.scale, scale };
    show();
  };
  const fit = () => {
    const { width, height } = room();
    const scale = limit(Math.min(width / size.width, height / size.height, 1.25));
    view = { x: (width - size.width * scale) / 2, y: (height - size.height * scale) / 2, scale };
    show();
  };
  const reveal = n => {
    const { width, height } = room();
    const scale = Math.max(view.scale, 0.8);
    view = { x: width / 2 - place[n].x * scale, y: height / 2 - place[n].y * scale, scale };
    show();
  };

  const fingers = new Map();
  let moved = false;
  graph.addEventListener('pointerdown', event => {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved = false;
  });
  graph.addEventListener('pointermove', event => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const dx = event.clientX - last.x, dy = event.clientY - last.y;
    if (!moved && Math.hypot(dx, dy) < 4) return;
    if (!moved) graph.setPointerCapture(event.pointerId);
    moved = true;
    graph.classList.add('moving');
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const { left, top } = room();
      if (before > 0) zoom(after / before, other.x - left, other.y - top);
    } else {
      view.x += dx;
      view.y += dy;
      show();
    }
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    graph.addEventListener(end, event => {
      fingers.delete(event.pointerId);
      graph.classList.remove('moving');
    });
  }
  graph.addEventListener('wheel', event => {
    event.preventDefault();
    const { left, top } = room();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoom(Math.exp(-Math.max(-200, Math.min(200, step)) / 400), event.clientX - left, event.clientY - top);
  }, { passive: false });
  at('in').addEventListener('click', () => zoom(1.3));
  at('out').addEventListener('click', () => zoom(1 / 1.3));
  at('fit').addEventListener('click', fit);

  // Details. Every text becomes a text node, never markup.
  const make = (name, text, ...inside) => {
    const element = document.createElement(name);
    if (text != null) element.textContent = text;
    element.append(...inside);
    return element;
  };
  const list = (title, which) => {
    if (!which.length) return [];
    const items = which.map(n => {
      const button = make('button', tasks[n].title, make('small', `${tasks[n].status} · ${tasks[n].id}`));
      button.addEventListener('click', () => { choose(n); reveal(n); });
      return make('li', null, button);
    });
    return [make('h3', `${title} (${which.length})`), make('ul', null, ...items)];
  };
  let chosen = null;
  const choose = n => {
    chosen = n;
    details.hidden = n == null;
    world.classList.toggle('near', n != null);
    const linked = new Set();
    for (const way of ways) {
      const ends = [+way.dataset.first, +way.dataset.then];
      const own = n != null && ends.includes(n);
      way.classList.toggle('linked', own);
      if (own) ends.forEach(end => linked.add(end));
    }
    boxes.forEach((box, i) => {
      box.classList.toggle('linked', linked.has(i));
      box.classList.toggle('chosen', i === n);
    });
    if (n == null) return;
    const task = tasks[n], pairs = make('dl');
    const say = (name, value) => value != null && value !== '' && pairs.append(make('dt', name), make('dd', value));
    pairs.append(make('dt', 'Id'), make('dd', null, make('code', task.id)));
    say('Status', task.status + (task.critical ? ', on the longest chain' : ''));
    say('Progress', task.progress);
    say('Wave', task.wave);
    say('Owner', task.owner);
    say('Priority', task.priority);
    say('Milestone', task.milestone);
    say('Done when', task.acceptance);
    at('detail').replaceChildren(make('h2', task.title), pairs,
      ...list('Needs', task.needs), ...list('Unblocks', task.unblocks),
      ...list('Part of', task.parent == null ? [] : [task.parent]), ...list('Parts', task.parts));
    history.replaceState(null, '', '#id=' + encodeURIComponent(task.id));
  };
  const close = () => { choose(null); history.replaceState(null, '', '#'); };
  at('close').addEventListener('click', close);
  const hit = event => {
    const box = event.target.closest && event.target.closest('.task');
    return box && world.contains(box) ? +box.dataset.at : null;
  };
  graph.addEventListener('click', event => {
    if (moved) return;
    const n = hit(event);
    if (n != null) { choose(n); focus(n); } else if (chosen != null) close();
  });

  // Keys: one task at a time can be tabbed to, arrow keys go to its neighbours.
  let focused = 0;
  const focus = n => {
    if (!boxes[n]) return;
    boxes[focused].setAttribute('tabindex', '-1');
    focused = n;
    boxes[n].setAttribute('tabindex', '0');
    boxes[n].focus({ preventScroll: true });
  };
  boxes.forEach((box, n) => {
    box.setAttribute('tabindex', n ? '-1' : '0');
    box.setAttribute('role', 'button');
    box.setAttribute('aria-label', `${tasks[n].title}, ${tasks[n].status}, ${tasks[n].id}`);
  });
  const neighbour = (n, dx, dy) => {
    let best = null, least = Infinity;
    place.forEach((to, i) => {
      const along = (to.x - place[n].x) * dx + (to.y - place[n].y) * dy;
      const aside = Math.abs((to.x - place[n].x) * dy) + Math.abs((to.y - place[n].y) * dx);
      if (i !== n && along > 8 && along + 2 * aside < least) { least = along + 2 * aside; best = i; }
    });
    return best;
  };
  const inside = n => {
    const { width, height } = room();
    const x = place[n].x * view.scale + view.x, y = place[n].y * view.scale + view.y;
    return x > 60 && y > 30 && x < width - 60 && y < height - 30;
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  graph.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !boxes.length) return;
    const n = hit(event);
    if (arrows[event.key]) {
      const next = n == null ? focused : neighbour(n, ...arrows[event.key]);
      if (next != null) { focus(next); if (!inside(next)) reveal(next); }
      event.preventDefault();
    } else if ((event.key === 'Enter' || event.key === ' ') && n != null) {
      choose(n);
      event.preventDefault();
    }
  });
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      if (document.activeElement === words && words.value) { words.value = ''; look(); }
      else if (chosen != null) close();
      else graph.focus();
      event.preventDefault();
    } else if (document.activeElement !== words) {
      const act = { '/': () => words.focus(), '+': () => zoom(1.3), '=': () => zoom(1.3), '-': () => zoom(1 / 1.3), '0': fit, f: fit }[event.key];
      if (act) { act(); event.preventDefault(); }
    }
  });

  // Search: every word has to be somewhere in the id, title, status, owner, milestone or priority.
  let found = [], current = -1;
  const mark = () => {
    boxes.forEach((box, n) => box.classList.toggle('current', found[current] === n));
    at('found').value = !words.value.trim() ? '' : !found.length ? 'none' : current < 0 ? `${found.length} found` : `${current + 1} of ${found.length}`;
  };
  const look = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = wanted.length ? haystacks.flatMap((text, n) => wanted.every(word => text.includes(word)) ? [n] : []) : [];
    current = -1;
    const marked = new Set(found);
    boxes.forEach((box, n) => box.classList.toggle('found', marked.has(n)));
    world.classList.toggle('searching', wanted.length > 0);
    if (wanted.length && chosen != null) choose(null);
    mark();
  };
  const next = step => {
    if (!found.length) return;
    current = current < 0 ? (step > 0 ? 0 : found.length - 1) : (current + step + found.length) % found.length;
    mark();
    reveal(found[current]);
  };
  words.addEventListener('input', look);
  words.addEventListener('keydown', event => {
    if (event.key === 'Enter') { next(event.shiftKey ? -1 : 1); event.preventDefault(); }
  });
  at('search').addEventListener('submit', event => event.preventDefault());

  // #id=… chooses a task, #q=… searches: such a link can be passed on.
  const follow = () => {
    const link = new URLSearchParams(location.hash.slice(1));
    const n = tasks.findIndex(task => task.id === link.get('id'));
    if (n >= 0) { choose(n); reveal(n); }
    if (link.get('q')) { words.value = link.get('q'); look(); next(1); }
  };
  fit();
  follow();
  addEventListener('hashchange', follow);
  addEventListener('resize', show);
})();
