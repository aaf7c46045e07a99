// Browsers start no worker for a page that was opened from a disk, and the search of the site is one. So there its
// script runs in a hidden frame, which is given messages and gives them back as a worker does.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      const script = document.createElement("script")
      script.src = new URL(address, document.baseURI)
      frame.hidden = true
      frame.title = "Search"
      frame.srcdoc = `<script>
        var IFrameWorker = true
        var postMessage = data => frameElement.dispatchEvent(new MessageEvent("message", { data }))
      </script>${script.outerHTML}`
      frame.addEventListener("message", ({ data }) => this.dispatchEvent(new MessageEvent("message", { data })))
      this.started = new Promise(resolve => frame.addEventListener("load", () => resolve(frame.contentWindow)))
      document.body.append(frame)
    }

    postMessage(data) {
      this.started.then(inside => inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
