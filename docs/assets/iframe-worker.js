/* Browsers refuse web workers to pages that are opened from a file, and the search of the site is one.
   There, its script runs in a hidden frame instead. */
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const there = frame.contentWindow;
      there.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = frame.contentDocument.createElement("script");
      script.src = new URL(url, location.href);
      this.there = new Promise((ready) => script.addEventListener("load", () => ready(there)));
      frame.contentDocument.head.append(script);
    }
    postMessage(data) {
      this.there.then((there) => there.dispatchEvent(new there.MessageEvent("message", { data })));
    }
  };
}
