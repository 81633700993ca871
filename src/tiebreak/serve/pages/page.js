// Copies an answer, and keeps the end of a growing answer in view for readers who are there already.
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
    const said = button?.closest(".tb-copied")?.querySelector(".tb-said");
    if (!said) return;
    await copy(said.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
})();
