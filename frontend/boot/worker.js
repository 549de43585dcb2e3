// Starts the web app's worker. What the page says before the program is there is kept and said again.
import init, { start_worker } from "{{beckon.js}}";

const early = [];
const keep = (event) => {
  event.stopImmediatePropagation();
  early.push(event);
};
self.addEventListener("message", keep);
await init({ module_or_path: "{{beckon.wasm}}" });
start_worker();
self.removeEventListener("message", keep);
for (const { data, ports } of early) {
  self.dispatchEvent(new MessageEvent("message", { data, ports: [...ports] }));
}
