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
      if (sending.status < 400) { location.assign(sending.responseURL); return; }
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
