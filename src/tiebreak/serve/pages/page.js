// Copies an answer, follows a growing one, closes lists that were opened by Tab, and says in words why a request was refused.
(() => {
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = document.createElement("textarea");
      box.value = text;
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".tb-copy");
    if (!button) return;
    await copy(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  // Whoever edits a message goes on in the box.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#chat-log [data-pick^='edit:']")) document.querySelector("#chat-box textarea")?.focus();
  });

  // The chat follows its answer, until the reader scrolls up; a new message, or the end of the page, and it follows again.
  const BREATH = 12;
  let following = true, last = 0, turns = 0;
  const under = () => {
    const log = document.querySelector("#chat-log"), composer = document.querySelector("#chat-composer");
    if (!log?.offsetParent || !composer) return null;
    return log.getBoundingClientRect().bottom + BREATH - composer.getBoundingClientRect().top;
  };
  window.addEventListener("scroll", () => {
    const hidden = under();
    if (hidden === null) return;
    if (hidden < 40) following = true;
    else if (window.scrollY < last - 1) following = false;
    last = window.scrollY;
  }, {passive: true});
  const follow = () => {
    const now = document.querySelectorAll("#chat-log .tb-exchange").length;
    if (now > turns) following = true;
    turns = now;
    const hidden = under();
    if (following && hidden !== null && hidden > 0) window.scrollBy(0, hidden);
    last = window.scrollY;
  };
  const begin = () => {
    new MutationObserver((seen) => {
      if (seen.some(({target}) => (target.closest ? target : target.parentElement)?.closest("#chat-log, #chat-composer"))) follow();
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
  };
  document.body ? begin() : document.addEventListener("DOMContentLoaded", begin);

  // A list of Gradio's opens when it gets the focus, and then has to close when the focus goes on.
  document.addEventListener("focusout", (event) => {
    const box = event.target;
    if (!box.matches?.("input[role=combobox]") || event.relatedTarget === null) return;
    box.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
  });

  // A refusal that stands before the pages is no JSON of Gradio's: its sentence is, whatever form it came in.
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    const url = new URL(asked[0]?.url ?? asked[0], location.href);
    if (answer.ok || answer.status === 503 || !url.pathname.startsWith("/gradio_api/")) return answer;
    const text = await answer.text();
    let found = null;
    try { found = JSON.parse(text); } catch { /* no JSON: it is told by its status */ }
    const said = [found?.detail, found?.error?.message, found?.error].find((one) => typeof one === "string");
    const detail = said ?? `The server refused this (${answer.status}). Load the page again; if it stays so, ask who runs it.`;
    return new Response(JSON.stringify({...found, detail}), {status: answer.status, headers: {"Content-Type": "application/json"}});
  };
})();
