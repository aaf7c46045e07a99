/* Says how far the answer is, and shows it when it is there. */
(() => {
  const screen = document.querySelector("[data-job]");
  const status = screen.querySelector("[role=status]");
  const progress = screen.querySelector("progress");
  const ask = async () => {
    try {
      const response = await fetch(`/api/explanations/${screen.dataset.job}`);
      const job = await response.json();
      if (!response.ok || job.state === "done" || job.state === "failed") return location.reload();
      status.textContent = job.ahead ? `${job.ahead} before this one.` : `${job.stage || "Beginning"} …`;
      if (job.total > 1) { progress.max = job.total; progress.value = job.done; } else progress.removeAttribute("value");
    } catch {
      status.textContent = "The server cannot be reached; trying again …";
    }
    setTimeout(ask, 400);
  };
  setTimeout(ask, 200);
})();
