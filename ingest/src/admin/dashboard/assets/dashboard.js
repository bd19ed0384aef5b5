// Keeps a page up to date: when the server says that something has changed, the page is asked for again, and only what differs
// is replaced, so that focus, scroll position and what was typed or ticked stay. Everything can be read without it.
'use strict';

(() => {
  const LEAST_MS = 1000; // between two requests, however much happens
  const SAY_MS = 5000; // between two announcements to screen readers

  const main = document.getElementById('main');
  const state = document.getElementById('live-state');
  const button = document.getElementById('live-button');
  const said = document.getElementById('said');
  let paused = false;
  let asked = Date.now();
  let asking = false;
  let wanted = false;
  let connected = false;
  let saidAt = 0;
  let summary = main.dataset.summary;

  const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id : '');

  // Takes a node out, and returns the one behind it. Focus that is in it goes to the page, not to nowhere.
  const drop = (node) => {
    const next = node.nextSibling;
    if (node.contains(document.activeElement)) main.focus({ preventScroll: true });
    node.remove();
    return next;
  };

  // Makes the children of one element those of another one. What has an id is found again, and stays where it is if it can.
  const morphChildren = (old, made) => {
    const wanted = new Set([...made.childNodes].map(key).filter(Boolean));
    const known = new Map();
    for (const child of [...old.childNodes]) {
      if (wanted.has(key(child))) known.set(key(child), child);
      else if (key(child)) drop(child);
    }
    let place = old.firstChild;
    for (const want of [...made.childNodes]) {
      let found = null;
      // Where something has gone, a text is left over: it is what has to give way, never an element.
      while (want.nodeType === Node.ELEMENT_NODE && place && place.nodeType !== Node.ELEMENT_NODE) place = drop(place);
      if (key(want)) {
        found = known.get(key(want)) || null;
        while (found && place && place !== found && !key(place)) place = drop(place);
      } else if (place && !key(place)) {
        found = place;
      }
      if (found && found.nodeType === want.nodeType && found.nodeName === want.nodeName) {
        if (found === place) place = place.nextSibling;
        else old.insertBefore(found, place);
        morph(found, want);
      } else {
        old.insertBefore(document.importNode(want, true), place);
      }
    }
    while (place) place = drop(place);
  };

  const morph = (old, made) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== made.nodeValue) old.nodeValue = made.nodeValue;
      return;
    }
    if (old.isEqualNode(made)) return;
    const keeps = (name) => name === 'open' && old.nodeName === 'DETAILS';
    for (const { name } of [...old.attributes]) {
      if (!made.hasAttribute(name) && !keeps(name)) old.removeAttribute(name);
    }
    for (const { name, value } of made.attributes) {
      if (old.getAttribute(name) !== value && !keeps(name)) old.setAttribute(name, value);
    }
    if (old !== document.activeElement || old.nodeName !== 'SELECT') morphChildren(old, made);
  };

  // Says that nothing can be read now, and leaves what was read before, and what was typed.
  const tell = (away, made) => {
    Object.assign(main.dataset, made.dataset);
    const told = document.getElementById('away');
    if (told) morph(told, away);
    else document.getElementById('title').after(document.importNode(away, true));
  };

  const say = () => {
    if (main.dataset.summary === summary || Date.now() - saidAt < SAY_MS) return;
    summary = main.dataset.summary;
    saidAt = Date.now();
    said.textContent = summary;
  };

  const show = () => {
    state.textContent = paused ? 'Paused' : connected ? 'Live' : 'Reconnecting';
    button.textContent = paused ? 'Go on' : 'Pause';
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    if (asking || Date.now() - asked < LEAST_MS) {
      wanted = true;
      return;
    }
    asking = true;
    wanted = false;
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
      const made = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const madeMain = made.getElementById('main');
      if (madeMain && !paused) {
        const focused = document.activeElement;
        const away = made.getElementById('away');
        if (away) tell(away, madeMain);
        else morph(main, madeMain);
        document.title = made.title;
        if (focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
        say();
      }
    } catch {
      connected = false; // the stream finds out when it is back
    } finally {
      asking = false;
      show();
    }
  };

  setInterval(() => {
    const every = Number(main.dataset.every) * 1000;
    if (wanted || Date.now() - asked >= every) refresh();
  }, 250);

  const stream = new EventSource('/live');
  stream.addEventListener('open', () => {
    connected = true;
    show();
    refresh();
  });
  stream.addEventListener('error', () => {
    connected = false;
    show();
  });
  stream.addEventListener('change', refresh);
  addEventListener('pagehide', () => stream.close());
  document.addEventListener('visibilitychange', refresh);
  button.addEventListener('click', () => {
    paused = !paused;
    show();
    refresh();
  });
  button.hidden = false;
  show();
})();
