// What makes the desk quicker to use. Everything works without it.
(() => {
  "use strict";
  const typing = (element) => element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

  const pressing = (event) => event.key === "Enter" && event.target.closest("a, button, summary");

  // data-keys on a box: whether keys press anything at all. It is kept for this browser, whoever signs in: who speaks to
  // the computer, or strikes keys unawares, would press without meaning to.
  const keysAreOff = () => {
    try { return localStorage.getItem("keys") === "off"; } catch { return false; }
  };
  const showKeys = () => {
    document.documentElement.classList.toggle("keys-off", keysAreOff());
    for (const box of document.querySelectorAll("[data-keys]")) {
      box.checked = !keysAreOff();
      box.closest(".keys").hidden = false;
    }
  };
  document.addEventListener("change", ({ target }) => {
    if (!("keys" in target.dataset)) return;
    try {
      if (target.checked) localStorage.removeItem("keys");
      else localStorage.setItem("keys", "off");
    } catch { /* This browser keeps nothing. */ }
    showKeys();
  });
  document.addEventListener("htmx:load", showKeys);
  showKeys();

  // data-key="a" on a link or button: the key presses it.
  document.addEventListener("keydown", (event) => {
    if (keysAreOff() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || pressing(event)) return;
    const pressed = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!pressed || pressed.disabled) return;
    event.preventDefault();
    if (pressed.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, summary")) pressed.focus();
    else pressed.click();
  });

  // Whoever came here by doing something goes on from what is said of it.
  const outcome = document.querySelector("main .problem[role=alert], main .notice[role=status]");
  if (outcome && document.activeElement === document.body) {
    outcome.tabIndex = -1;
    outcome.focus();
  }

  // On a phone the sections are a strip: the one that is open is in sight, and all of the one that has the focus.
  const open = document.querySelector(".sections [aria-current]");
  if (open) open.parentElement.scrollLeft = open.offsetLeft - (open.parentElement.clientWidth - open.clientWidth) / 2;
  document.addEventListener("focusin", ({ target }) => {
    if (target.closest(".sections")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  // What is typed into a form that changes something is there again for the same visitor, within a week, when the session
  // ended before it was sent or it did not arrive; long texts also when they went to another page. No passwords, codes or files.
  const WEEK = 7 * 24 * 3600 * 1000;
  const { visitor } = document.body.dataset;
  const stored = (name) => {
    try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
  };
  const entryOf = (name) => {
    const entry = stored(name);
    return entry?.typed instanceof Object ? entry : null;
  };
  const note = (name, more) => {
    try { localStorage.setItem(name, JSON.stringify({ ...entryOf(name), ...more })); } catch { /* There is no room left. */ }
  };
  const isKept = (form) => visitor && form && form.method === "post" && !form.querySelector("[type=password], [type=file], [autocomplete=one-time-code]") && !("keptForm" in form.dataset);
  const nameOf = (form) => {
    const alike = [...document.forms].filter((one) => one.getAttribute("action") === form.getAttribute("action"));
    return `siby:typed:${visitor}:${form.getAttribute("action") || location.pathname}:${alike.indexOf(form)}`;
  };
  const isTicked = (field) => field.matches("[type=checkbox], [type=radio]");
  const fieldsOf = (form) => {
    const seen = {};
    return [...form.elements].filter((field) => field.name && field.matches("textarea, select, input:not([type=hidden])")).map((field) => {
      seen[field.name] = (seen[field.name] || 0) + 1;
      return [isTicked(field) ? `${field.name}=${field.value}` : `${field.name}#${seen[field.name]}`, field];
    });
  };
  const valuesOf = (options) => options.map((option) => option.value).join("\n");
  const stateOf = (field) => isTicked(field) ? field.checked : field.options ? valuesOf([...field.selectedOptions]) : field.value;
  const givenOf = (field) => {
    if (isTicked(field)) return field.defaultChecked;
    if (!field.options) return field.defaultValue;
    const given = [...field.options].filter((option) => option.defaultSelected);
    return valuesOf(given.length || field.multiple ? given : [...field.options].slice(0, 1));
  };
  const fill = (field, state) => {
    if (isTicked(field)) field.checked = state;
    else if (field.options) for (const option of field.options) option.selected = state.split("\n").includes(option.value);
    else field.value = state;
  };
  const recall = (root) => {
    for (const form of root.querySelectorAll("form")) {
      const entry = isKept(form) && entryOf(nameOf(form));
      if (!entry) continue;
      const back = fieldsOf(form).filter(([id, field]) => id in entry.typed && (entry.again || field.matches("textarea")) && stateOf(field) !== entry.typed[id]);
      for (const [id, field] of back) fill(field, entry.typed[id]);
      const notice = document.querySelector("#typed-again");
      if (back.length && notice) form.prepend(notice.content.cloneNode(true));
    }
  };
  document.addEventListener("input", ({ target: { form } }) => {
    if (!isKept(form)) return;
    const typed = fieldsOf(form).filter(([, field]) => stateOf(field) !== givenOf(field)).map(([id, field]) => [id, stateOf(field)]);
    if (typed.length) note(nameOf(form), { at: Date.now(), typed: Object.fromEntries(typed), sent: false, mark: String(Math.random()) });
    else localStorage.removeItem(nameOf(form));
  });
  // It is sent with a mark. The server gives that back in a cookie with the answer by which it took the form; then, and
  // only then, it is forgotten: the line may be cut meanwhile, or a proxy answer.
  document.addEventListener("submit", ({ target: form }) => {
    const entry = isKept(form) && fieldsOf(form).length && entryOf(nameOf(form));
    if (!entry) return;
    note(nameOf(form), { sent: true });
    let mark = form.querySelector("[name=__sent]");
    if (!mark) {
      mark = document.createElement("input");
      mark.type = "hidden"; mark.name = "__sent";
      form.append(mark);
    }
    mark.value = entry.mark;
  });
  const [, taken] = document.cookie.match(/(?:^|; )taken=([^;]*)/) || [];
  document.cookie = "taken=; path=/; max-age=0";
  const signingIn = document.querySelector("[data-signing-in]");
  for (const name of Object.keys(localStorage).filter((one) => one.startsWith("siby:typed:"))) {
    const entry = entryOf(name);
    if (!entry || Date.now() - entry.at > WEEK || (taken && entry.mark === taken)) localStorage.removeItem(name);
    // What the page for signing in carries along is not asked for a second time.
    else if (signingIn ? !(entry.sent && "carries" in signingIn.dataset) : entry.sent) note(name, { again: true, sent: false });
  }
  document.addEventListener("htmx:load", (event) => recall(event.detail.elt));
  recall(document);
  document.addEventListener("click", ({ target }) => {
    const form = target.closest("[data-typed-drop]")?.closest("form");
    if (!form) return;
    localStorage.removeItem(nameOf(form));
    form.reset();
    target.closest("[role=status]").remove();
  });

  // data-forgets on a form: with it goes all that was kept of what was typed. Whoever signs out may share the computer.
  document.addEventListener("submit", ({ target }) => {
    if (!("forgets" in target.dataset)) return;
    for (const name of Object.keys(localStorage)) if (name.startsWith("siby:")) localStorage.removeItem(name);
  });

  // data-kept-form="name" on a form: all that was typed into it is offered again when a session ended in the middle of
  // it. The server makes the page of it, so that questions and iterations are there that the first page did not have.
  const keptForm = (name) => `siby:form:${name}`;
  const typedIn = (form) => [...new FormData(form)].filter(([name, value]) => name !== "__csrf" && name !== "act" && typeof value === "string");
  document.addEventListener("input", ({ target }) => {
    const form = target.closest("form[data-kept-form]");
    if (form) localStorage.setItem(keptForm(form.dataset.keptForm), JSON.stringify({ at: Date.now(), typed: typedIn(form) }));
  });
  for (const taken of document.querySelectorAll("[data-taken-form]")) localStorage.removeItem(keptForm(taken.dataset.takenForm));
  for (const offer of document.querySelectorAll("[data-kept-offer]")) {
    const name = keptForm(offer.dataset.keptOffer);
    const form = document.querySelector(`form[data-kept-form="${CSS.escape(offer.dataset.keptOffer)}"]`);
    const kept = stored(name);
    if (kept && Date.now() - kept.at > WEEK) localStorage.removeItem(name);
    // A page that answers what was sent shows it already.
    else if (kept && form && !("keptShown" in offer.dataset)) offer.hidden = false;
    offer.querySelector("[data-kept-take]").addEventListener("click", () => {
      const sent = document.createElement("form");
      sent.method = "post"; sent.action = form.action; sent.hidden = true;
      for (const [field, value] of [...kept.typed, ["__csrf", form.elements.__csrf.value], ["act", "show"]]) {
        const input = document.createElement("input");
        input.type = "hidden"; input.name = field; input.value = value;
        sent.append(input);
      }
      document.body.append(sent);
      sent.submit();
    });
    offer.querySelector("[data-kept-drop]").addEventListener("click", () => { localStorage.removeItem(name); offer.hidden = true; });
  }
  // What is typed while a part of such a form is on its way is not overwritten by it: it is asked for once more.
  const asked = new WeakMap();
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    const form = detail.elt.closest("form[data-kept-form]");
    if (form) asked.set(detail.xhr, JSON.stringify(typedIn(form)));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const form = requestConfig.elt.closest("form[data-kept-form]");
    if (!form || !asked.has(xhr)) return;
    // Whoever is not signed in any more gets another page, which has no place here.
    const another = !xhr.responseText.includes('id="asked"');
    const typedSince = asked.get(xhr) !== JSON.stringify(typedIn(form));
    if (another || typedSince) event.detail.shouldSwap = false;
    if (typedSince && !another) htmx.trigger(requestConfig.elt, "change");
  });

  // A search that goes on by itself is stopped where it has come by then.
  const stop = document.querySelector("#stop");
  if (stop) {
    stop.addEventListener("click", () => location.assign(`${document.querySelector("#far").getAttribute("hx-get")}&by=hand`));
    document.addEventListener("htmx:load", () => {
      const runs = Boolean(document.querySelector("#far[hx-get]"));
      if (!runs && document.activeElement === stop) document.querySelector("#told").focus();
      stop.hidden = !runs;
    });
  }

  // data-sent on a form: it is sent as soon as one of its choices changes.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-sent]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio], input[type=date]")) form.requestSubmit();
  });

  // What is slow shows that it is being done, and is not asked for twice. Nothing comes in the place of a page after a
  // form that data-downloads.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.busy) { event.preventDefault(); return; }
    if (form.method === "post" && !event.defaultPrevented) {
      form.dataset.busy = "yes";
      setTimeout(() => { delete form.dataset.busy; }, 15000);
      const working = document.querySelector("#working");
      if (working && !("upload" in form.dataset || "downloads" in form.dataset)) setTimeout(() => form.append(working.content.cloneNode(true)), 1000);
    }
  });

  // data-upload on a form with a progress bar: shows how much of a file has gone, which takes long on a slow line.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const bar = form.matches("[data-upload]") && form.querySelector("progress");
    if (!bar || event.defaultPrevented) return;
    event.preventDefault();
    const sending = new XMLHttpRequest();
    sending.open("POST", form.action);
    sending.upload.addEventListener("progress", ({ loaded, total }) => { bar.hidden = false; bar.value = (100 * loaded) / (total || loaded || 1); });
    sending.addEventListener("load", () => {
      // An answer that leads elsewhere is followed; one that stands at the form's own address has no other.
      if (sending.status < 400 && sending.responseURL !== form.action) { location.assign(sending.responseURL); return; }
      const page = new DOMParser().parseFromString(sending.responseText, "text/html").querySelector("main");
      if (!page) { form.submit(); return; }
      document.querySelector("main").replaceWith(page);
      page.focus();
    });
    sending.addEventListener("error", () => form.submit());
    sending.send(new FormData(form, event.submitter));
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
    for (const said of document.querySelectorAll(".working")) said.remove();
  });

  document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) window.print(); });
})();
