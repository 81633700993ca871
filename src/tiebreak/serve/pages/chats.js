// Conversations in the store of this browser: kept as they come from the page, listed, opened again, exported, deleted.
(() => {
  const PREFIX = "tiebreak-chat:", OPEN = "tiebreak-open-chat", MOST = 50;
  let box = null, send = null;

  const read = (id) => {
    try {
      const found = JSON.parse(localStorage.getItem(PREFIX + id));
      return Array.isArray(found?.exchanges) && found.exchanges.length ? found : null;
    } catch { return null; }
  };
  const every = () => Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => read(key.slice(PREFIX.length)))
    .filter(Boolean)
    .sort((one, other) => (other.changed ?? 0) - (one.changed ?? 0));
  const remove = (id) => localStorage.removeItem(PREFIX + id);

  const keep = (text) => {
    let conversation;
    try { conversation = JSON.parse(text); } catch { return; }
    sessionStorage.setItem(OPEN, conversation.id);
    if (!conversation.exchanges.length) remove(conversation.id);
    else {
      const whole = JSON.stringify({...conversation, changed: Date.now()});
      for (let left = MOST; left >= 0; left--) {
        try {
          localStorage.setItem(PREFIX + conversation.id, whole);
          break;
        } catch {  // the store is full: the oldest makes room
          const oldest = every().filter((one) => one.id !== conversation.id).pop();
          if (!oldest) break;
          remove(oldest.id);
        }
      }
      for (const old of every().slice(MOST)) remove(old.id);
    }
    draw();
  };

  const title = (conversation) => conversation.exchanges[0].question.replace(/\s+/g, " ").trim().slice(0, 80) || "…";
  const messages = (conversation) => [
    ...(conversation.system ? [{role: "system", content: conversation.system}] : []),
    ...conversation.exchanges.flatMap(({question, answer, before}) => [
      {role: "user", content: question},
      {role: "assistant", content: answer.text, model: answer.model, ...(before ? {before: {model: before.model, content: before.text}} : {})},
    ]),
  ];
  const asJson = (conversation) => JSON.stringify(
    {title: title(conversation), changed: new Date(conversation.changed ?? 0).toISOString(), messages: messages(conversation)}, null, 2) + "\n";
  const asMarkdown = (conversation) => {
    const parts = [`# ${title(conversation)}`];
    if (conversation.system) parts.push("## System", conversation.system);
    for (const {question, answer, before} of conversation.exchanges) {
      parts.push("## User", question);
      if (before) parts.push(`## ${before.title} (before)`, before.text);
      parts.push(`## ${answer.title}${before ? " (after)" : ""}`, answer.text);
    }
    return parts.join("\n\n") + "\n";
  };
  const download = (text, kind, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], {type: kind}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const fileName = (conversation, ending) =>
    (title(conversation).normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40).toLowerCase() || "conversation") + ending;

  const button = (words, label, act, current) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "tb-pick";
    made.textContent = words;
    if (label) made.setAttribute("aria-label", label);
    if (current) made.setAttribute("aria-current", "true");
    made.addEventListener("click", act);
    return made;
  };
  const erase = (conversation) => {
    if (!window.confirm(`Delete the conversation “${title(conversation)}”? It cannot be brought back.`)) return;
    remove(conversation.id);
    if (sessionStorage.getItem(OPEN) === conversation.id) {
      sessionStorage.removeItem(OPEN);
      send({forget: true});
    }
    draw();
  };
  const open = (conversation) => {
    sessionStorage.setItem(OPEN, conversation.id);
    const {changed, ...kept} = conversation;
    send({open: JSON.stringify(kept)});
    draw();
  };
  const draw = () => {
    const place = box?.querySelector(".tb-chats");
    if (!place) return;
    const found = every(), current = sessionStorage.getItem(OPEN), was = place.querySelector("details")?.open;
    place.replaceChildren();
    if (!found.length) return;
    const fold = document.createElement("details"), summary = document.createElement("summary"), list = document.createElement("ul");
    fold.open = Boolean(was);
    summary.textContent = `Conversations (${found.length})`;
    for (const one of found) {
      const line = document.createElement("li"), name = title(one), acts = document.createElement("span");
      acts.className = "tb-chat-acts";
      acts.append(
        button("JSON", `Export “${name}” as JSON`, () => download(asJson(one), "application/json", fileName(one, ".json"))),
        button("Markdown", `Export “${name}” as Markdown`, () => download(asMarkdown(one), "text/markdown", fileName(one, ".md"))),
        button("Delete", `Delete “${name}”`, () => erase(one)),
      );
      line.append(button(name, "", () => open(one), one.id === current), acts);
      list.append(line);
    }
    fold.append(summary, list);
    place.append(fold);
  };

  window.tiebreakChats = (element, trigger) => {
    box = element;
    send = (data) => trigger("click", data);
    draw();
    const last = read(sessionStorage.getItem(OPEN));
    if (last && !document.querySelector("#chat-log .tb-exchange")) open(last);
  };
  window.addEventListener("storage", draw);
  const begin = () => {
    let before = "";
    new MutationObserver(() => {
      const text = document.querySelector("#chat-kept [data-kept]")?.dataset.kept ?? "";
      if (text && text !== before) keep(before = text);
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("#chat-clear")) { sessionStorage.removeItem(OPEN); draw(); }
    });
  };
  document.body ? begin() : document.addEventListener("DOMContentLoaded", begin);
})();
