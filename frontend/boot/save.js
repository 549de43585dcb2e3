// The service worker that hands downloads from machines to the browser, piece by piece, so that none of them has to fit into
// memory. It answers addresses that a page of the app has just made, /save/ID, each once, and nothing else: its scope holds
// no page of the app, and it keeps nothing.
//
// A page posts {id, disposition} with a port, then has the browser load /save/ID. Over the port go, from here: "open" when
// the browser asks for the address, "pull" for each piece that it has room for, "cancel" when a person ends the download;
// to here: {size} first, then a Uint8Array for each "pull", then "end" or "fail".

/** Bytes that wait here for the browser to take them. */
const AHEAD = 4 << 20;
/** Nobody makes the bytes of a download any more that no page called alive for so many looks. Time also passes while a
 *  computer sleeps, looks do not. */
const LOOKS = 4;
/** Between two looks, in milliseconds. */
const LOOK_MS = 15_000;
const ID = /^\/save\/([0-9a-f]{32})$/;

/** Downloads that are announced or under way. */
const downloads = new Map();
let looking = null;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("message", (event) => {
  const { id, disposition, alive, lost } = event.data ?? {};
  if (typeof id === "string" && typeof disposition === "string" && event.ports.length === 1) {
    const port = event.ports[0];
    downloads.set(id, { disposition, port, looks: 0 });
    looking ??= setInterval(look, LOOK_MS);
    // Nothing but its end comes before the browser has asked for it.
    port.onmessage = () => downloads.delete(id);
    event.source?.postMessage({ ready: id });
  }
  // Whoever made the bytes is gone, and cannot say so itself.
  if (typeof lost === "string") giveUp(lost);
  // Every now and then, so that the browser does not end what seems idle. If it did, the page learns what is lost.
  if (Array.isArray(alive)) {
    for (const id of alive) if (downloads.has(id)) downloads.get(id).looks = 0;
    const gone = alive.filter((id) => !downloads.has(id));
    if (gone.length > 0) event.source?.postMessage({ gone });
  }
});

function look() {
  for (const [id, download] of downloads) {
    download.looks += 1;
    if (download.looks > LOOKS) giveUp(id);
  }
  if (downloads.size === 0) {
    clearInterval(looking);
    looking = null;
  }
}

function giveUp(id) {
  downloads.get(id)?.fail?.();
  downloads.delete(id);
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const id = url.origin === self.location.origin ? ID.exec(url.pathname)?.[1] : undefined;
  const download = downloads.get(id);
  if (download === undefined || download.isAnswered || event.request.method !== "GET") return;
  download.isAnswered = true;
  event.respondWith(answer(id, download));
});

/** The response, once the page's worker has told the length. */
function answer(id, download) {
  const { disposition, port } = download;
  return new Promise((resolve) => {
    let pulled = null;
    let controller = null;
    const settle = () => {
      pulled?.();
      pulled = null;
    };
    const over = () => {
      downloads.delete(id);
      port.close();
      settle();
    };
    const body = new ReadableStream(
      {
        start(own) {
          controller = own;
        },
        pull() {
          port.postMessage("pull");
          return new Promise((done) => (pulled = done));
        },
        cancel() {
          port.postMessage("cancel");
          over();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: AHEAD }),
    );
    download.fail = () => {
      controller.error(new Error("the download was ended"));
      over();
      // Of no effect once the answer has begun; before, it leads the browser nowhere.
      resolve(new Response(null, { status: 204 }));
    };
    port.onmessage = ({ data }) => {
      if (data instanceof Uint8Array) {
        controller.enqueue(data);
        settle();
      } else if (data === "end") {
        controller.close();
        over();
      } else if (data === "fail") {
        download.fail();
      } else {
        resolve(new Response(body, { headers: headers(disposition, data.size) }));
      }
    };
    port.postMessage("open");
  });
}

function headers(disposition, size) {
  const headers = new Headers({
    "Content-Type": "application/octet-stream",
    "Content-Disposition": disposition,
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
  });
  if (typeof size === "number") headers.set("Content-Length", String(size));
  return headers;
}
