// What the console does beyond plain pages: live parts, and dropping files. Without it everything works by reloading.
"use strict";

const EVERY_MS = 1500;
const AT_MOST_MS = 30000;

// A part with data-live is asked for again from that address, while it can be seen and something in it is unfinished.
async function refresh(part) {
  const answer = await fetch(part.dataset.live, { redirect: "manual" });
  if (answer.type === "opaqueredirect") {
    location.reload(); // the key opens nothing any more: the page leads to the sign-in
    return;
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.innerHTML = await answer.text();
  if (focused) document.getElementById(focused)?.focus();
  announce(part);
}

// For those who listen: only what is worth saying, and only when it changes.
function announce(part) {
  const announcer = document.querySelector("[data-announcer]");
  const said = part.querySelector("[data-said]")?.dataset.said ?? "";
  if (announcer && announcer.textContent !== said) announcer.textContent = said;
}

function follow(part) {
  let delay = EVERY_MS;
  async function look() {
    if (!part.querySelector("[data-unfinished]")) return;
    if (document.hidden) {
      document.addEventListener("visibilitychange", look, { once: true });
      return;
    }
    try {
      await refresh(part);
      delay = EVERY_MS;
    } catch {
      delay = Math.min(2 * delay, AT_MOST_MS);
    }
    setTimeout(look, delay);
  }
  setTimeout(look, delay);
}

// Files that are dropped are chosen in the form's own field; what is chosen is listed.
function acceptDrops(zone) {
  const input = zone.querySelector("input[type=file]");
  const list = zone.querySelector("[data-chosen]");
  const mark = (over) => zone.classList.toggle("over", over);
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      mark(true);
    });
  }
  zone.addEventListener("dragleave", () => mark(false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    show();
  });
  input.addEventListener("change", show);
  function show() {
    list.hidden = input.files.length === 0;
    list.replaceChildren(
      ...Array.from(input.files, (file) => {
        const line = document.createElement("li");
        line.textContent = `${file.name} · ${Math.ceil(file.size / 1024).toLocaleString("en")} KiB`;
        return line;
      }),
    );
  }
}

// A form that takes time says so, and is not sent twice by a second click.
function sendOnce(form) {
  const button = form.querySelector("button[data-sending]");
  const label = button.textContent;
  form.addEventListener("submit", () => {
    button.textContent = button.dataset.sending;
    setTimeout(() => (button.disabled = true)); // a disabled button now would not submit
  });
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    button.textContent = label;
  });
}

document.querySelectorAll("[data-live]").forEach(follow);
document.querySelectorAll("[data-drop]").forEach(acceptDrops);
document.querySelectorAll("form[data-sends]").forEach(sendOnce);
