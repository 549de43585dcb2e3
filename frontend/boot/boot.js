// Starts the web app in the page.
import init, { start_page } from "{{beckon.js}}";

try {
  await init({ module_or_path: "{{beckon.wasm}}" });
  start_page();
} catch (error) {
  console.error(error);
  const note = document.createElement("p");
  note.textContent = "Beckon did not start. Reload the page; if that does not help, update the browser. "
    + "Beckon 未能启动。请重新加载页面；如仍无效，请更新浏览器。";
  document.body.append(note);
}
