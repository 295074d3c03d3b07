// Keeps the page fresh: polls the messages and puts what is new where it belongs. The server draws; this only places.

const POLL_MS = 1_000;

const list = document.querySelector("#messages");
const form = document.querySelector("form");
const state = document.querySelector("#state");
let shown = "";

async function poll() {
  const filter = new URLSearchParams(new FormData(form));
  const query = new URLSearchParams([...filter, ["rendered", "true"], ["limit", list.dataset.limit]]);
  const response = await fetch(`/messages?${query}`, { cache: "no-cache" });
  if (!response.ok) throw new Error(`answered ${response.status}`);
  const version = `${response.headers.get("etag")} ${filter}`;
  if (version === shown) return;
  const { data } = await response.json();
  place(data);
  await tellCounts();
  shown = version;
}

/** A card that stays is not moved, since a frame that moves loads again and a chosen part would be forgotten. */
function place(messages) {
  const ids = new Set(messages.map(({ id }) => `message-${id}`));
  for (const card of [...list.children]) if (!ids.has(card.id)) card.remove();
  let next = list.firstElementChild;
  for (const { id, html } of messages) {
    if (next?.id === `message-${id}`) {
      next = next.nextElementSibling;
      continue;
    }
    const template = document.createElement("template");
    template.innerHTML = html;
    template.content.firstElementChild.classList.add("new");
    list.insertBefore(template.content, next);
  }
}

async function tellCounts() {
  const count = async (query) => (await (await fetch(`/messages/count${query}`)).json()).count;
  const [all, refused] = await Promise.all([count(""), count("?accepted=false")]);
  state.textContent = `${all} received, ${refused} refused`;
}

async function refresh() {
  try {
    await poll();
    state.classList.remove("lost");
  } catch (error) {
    shown = "";
    state.classList.add("lost");
    state.textContent = `not reachable: ${error.message}`;
  }
}

async function refreshForEver() {
  await refresh();
  setTimeout(refreshForEver, POLL_MS);
}

form.addEventListener("input", () => {
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  history.replaceState(null, "", `/?${new URLSearchParams(filled)}`);
  void refresh();
});
form.addEventListener("submit", (event) => event.preventDefault());
document.querySelector("#empty").addEventListener("click", async () => {
  await fetch("/messages", { method: "DELETE" });
  await refresh();
});

void refreshForEver();
