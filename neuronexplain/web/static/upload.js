/* Drop, paste or choose a photograph; without this script choosing still works. */
(() => {
  const LARGEST = 20 * 2 ** 20;
  for (const form of document.querySelectorAll("form[data-upload]")) {
    const input = form.querySelector("input[type=file]");
    const drop = form.querySelector(".drop");
    const preview = form.querySelector(".preview");
    const problem = form.querySelector(".problem");
    const button = form.querySelector("button");
    const say = (sentence) => { problem.textContent = sentence; problem.hidden = !sentence; };
    const take = (files) => {
      if (!files.length) return;
      const carrier = new DataTransfer();
      carrier.items.add(files[0]);
      input.files = carrier.files;
      show();
    };
    const show = () => {
      const [file] = input.files;
      preview.hidden = true;
      say(file && file.size > LARGEST ? "That is more than 20 MB, the most that may be sent." : "");
      if (!file) return;
      const reader = new FileReader();
      reader.addEventListener("load", () => { preview.src = reader.result; });
      reader.readAsDataURL(file);
    };
    preview.addEventListener("load", () => { preview.hidden = false; });
    input.addEventListener("change", show);
    for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
    for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
    document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); take(event.clipboardData.files); } });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (input.files[0].size > LARGEST) return show();
      button.disabled = true;
      say("");
      try {
        const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { accept: "application/json" } });
        if (response.ok) return location.assign(response.url);
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        say(page.querySelector("[role=alert]")?.textContent ?? response.statusText);
      } catch {
        say("The server cannot be reached.");
      }
      button.disabled = false;
      problem.focus();
    });
    addEventListener("pageshow", () => { button.disabled = false; if (input.files.length) show(); });
  }
  for (const select of document.querySelectorAll("select[data-address]")) {
    select.addEventListener("change", () => location.assign(select.dataset.address + select.value));
  }
})();
