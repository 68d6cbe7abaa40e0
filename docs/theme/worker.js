// Read from the disk, a page may start no worker, and the search runs in one: a hidden frame stands in for it there.
class FrameWorker {
  constructor(url) {
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    this.ready = new Promise((resolve, reject) => {
      this.frame.addEventListener("load", () => this.#run(url, resolve, reject), { once: true });
    });
    this.ready.catch((error) => this.onerror?.(error));
    this.frame.srcdoc = "<!doctype html>";
    document.body.append(this.frame);
  }

  #run(url, resolve, reject) {
    const inside = this.frame.contentWindow;
    inside.postMessage = (data) => setTimeout(() => this.onmessage?.({ data }));
    const script = inside.document.createElement("script");
    script.src = url;
    script.onload = () => resolve(inside);
    script.onerror = () => reject(new ErrorEvent("error", { message: `${url} cannot be read`, cancelable: true }));
    inside.document.head.append(script);
  }

  postMessage(data) {
    this.ready.then((inside) => inside.onmessage({ data }), () => {});
  }

  terminate() {
    this.frame.remove();
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
