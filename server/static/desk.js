// What makes the desk quicker to use. Everything works without it.
(() => {
  "use strict";
  const typing = (element) => element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

  // data-key="a" on a link or button: the key presses it.
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const pressed = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!pressed || pressed.disabled) return;
    event.preventDefault();
    if (pressed.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, summary")) pressed.focus();
    else pressed.click();
  });

  // On a phone the sections are a strip: the one that is open is in sight.
  const open = document.querySelector(".sections [aria-current]");
  if (open) open.parentElement.scrollLeft = open.offsetLeft - (open.parentElement.clientWidth - open.clientWidth) / 2;

  // data-kept="name" on a field: what was typed is there again when a session ended in the middle of it.
  const place = (field) => `siby:${location.pathname}:${field.dataset.kept}`;
  const recall = (root) => {
    for (const field of root.querySelectorAll("[data-kept]")) {
      if (!field.value) field.value = localStorage.getItem(place(field)) || "";
    }
  };
  document.addEventListener("input", (event) => {
    if (event.target.dataset.kept) localStorage.setItem(place(event.target), event.target.value);
  });
  // Forgotten once the server has taken it: a page that says so has data-taken="name".
  for (const taken of document.querySelectorAll("[data-taken]")) localStorage.removeItem(`siby:${location.pathname}:${taken.dataset.taken}`);
  document.addEventListener("htmx:load", (event) => recall(event.detail.elt));
  recall(document);

  // data-forgets on a form: with it goes all that was kept of what was typed. Whoever signs out may share the computer.
  document.addEventListener("submit", ({ target }) => {
    if (!("forgets" in target.dataset)) return;
    for (const name of Object.keys(localStorage)) if (name.startsWith("siby:")) localStorage.removeItem(name);
  });

  // data-kept-form="name" on a form: all that was typed into it is offered again when a session ended in the middle of
  // it. The server makes the page of it, so that questions and iterations are there that the first page did not have.
  const keptForm = (name) => `siby:form:${name}`;
  const typedIn = (form) => [...new FormData(form)].filter(([name, value]) => name !== "__csrf" && name !== "act" && typeof value === "string");
  const WEEK = 7 * 24 * 3600 * 1000;
  document.addEventListener("input", ({ target }) => {
    const form = target.closest("form[data-kept-form]");
    if (form) localStorage.setItem(keptForm(form.dataset.keptForm), JSON.stringify({ at: Date.now(), typed: typedIn(form) }));
  });
  for (const taken of document.querySelectorAll("[data-taken-form]")) localStorage.removeItem(keptForm(taken.dataset.takenForm));
  for (const offer of document.querySelectorAll("[data-kept-offer]")) {
    const name = keptForm(offer.dataset.keptOffer);
    const form = document.querySelector(`form[data-kept-form="${CSS.escape(offer.dataset.keptOffer)}"]`);
    const kept = JSON.parse(localStorage.getItem(name) || "null");
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

  // data-sent on a form: it is sent as soon as one of its choices changes.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-sent]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio], input[type=date]")) form.requestSubmit();
  });

  // What is slow shows that it is being done, and is not asked for twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.busy) { event.preventDefault(); return; }
    if (form.method === "post" && !event.defaultPrevented) {
      form.dataset.busy = "yes";
      setTimeout(() => { delete form.dataset.busy; }, 15000);
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
  });

  document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) window.print(); });
})();
