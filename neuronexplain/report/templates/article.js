/* Words and pixels of an article light each other; without this script they still do, under the pointer and the focus. */
(() => {
  const narrow = matchMedia("(max-width: 48rem)");
  for (const folded of document.querySelectorAll(".neuronexplain details:not([data-alive])")) {
    folded.dataset.alive = "";
    if (narrow.matches) folded.open = false;
    let before;
    addEventListener("beforeprint", () => { before = folded.open; folded.open = true; });
    addEventListener("afterprint", () => { folded.open = before; });
  }
  for (const article of document.querySelectorAll(".neuronexplain article:not([data-alive])")) {
    article.dataset.alive = "";
    const all = [...article.querySelectorAll("[data-concept]")];
    const words = all.filter((element) => element.matches("button"));
    const regions = all.filter((element) => element.matches(".region"));
    const photograph = article.querySelector(".photograph");
    let kept = new Set();
    const light = (numbers) => {
      article.classList.toggle("alight", numbers.size > 0);
      for (const element of all) element.classList.toggle("alight", numbers.has(element.dataset.concept));
    };
    const keep = (numbers) => {
      kept = numbers;
      for (const word of words) word.setAttribute("aria-pressed", kept.has(word.dataset.concept));
      light(kept);
    };
    const under = (event) => new Set(regions.filter((region) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(region.getScreenCTM().inverse());
      return region.isPointInFill(place);
    }).map((region) => region.dataset.concept));
    keep(kept);
    for (const word of words) {
      const numbers = new Set([word.dataset.concept]);
      word.addEventListener("pointerenter", () => light(numbers));
      word.addEventListener("focus", () => light(numbers));
      word.addEventListener("pointerleave", () => light(kept));
      word.addEventListener("blur", () => light(kept));
      word.addEventListener("click", () => keep(kept.size === 1 && kept.has(word.dataset.concept) ? new Set() : numbers));
    }
    if (!photograph) continue;
    photograph.addEventListener("pointermove", (event) => light(under(event)));
    photograph.addEventListener("pointerleave", () => light(kept));
    photograph.addEventListener("click", (event) => keep(under(event)));
    article.addEventListener("keydown", (event) => { if (event.key === "Escape") keep(new Set()); });
  }
})();
