// Finds what a person would find: by selector, by text, or by role and name. Evaluated in the page, as a function
// body whose last argument says what to look for and whose result is all that is there and visible.

const IMPLICIT = {
  button: "button, input[type=submit], input[type=button], summary",
  link: "a[href]",
  textbox: "input:not([type]), input[type=text], input[type=password], input[type=email], input[type=url], textarea",
  searchbox: "input[type=search]",
  checkbox: "input[type=checkbox]",
  radio: "input[type=radio]",
  spinbutton: "input[type=number]",
  combobox: "select",
  option: "option",
  heading: "h1, h2, h3, h4",
  dialog: "dialog",
  row: "tr",
  cell: "td",
  columnheader: "th",
  listitem: "li",
  list: "ul, ol",
  navigation: "nav",
  main: "main",
  img: "img",
  table: "table",
  form: "form",
  group: "fieldset, details",
  status: "output",
};

const clean = (text) => (text ?? "").replace(/\s+/g, " ").trim();

const visible = (element) =>
  element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;

function spoken(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE || node.getAttribute("aria-hidden") === "true") return "";
  if (node.hasAttribute("aria-label")) return ` ${node.getAttribute("aria-label")} `;
  if (node.tagName === "IMG") return node.alt;
  return [...node.childNodes].map(spoken).join(" ");
}

function name(element) {
  const by = element.getAttribute("aria-labelledby");
  if (by) return clean(by.split(/\s+/).map((id) => spoken(document.getElementById(id) ?? new Text())).join(" "));
  if (element.hasAttribute("aria-label")) return clean(element.getAttribute("aria-label"));
  if (element.labels?.length) return clean([...element.labels].map(spoken).join(" "));
  const own = element.matches("input, textarea, select") ? clean(element.value) : clean(spoken(element));
  const field = element.matches("input:not([type=submit]):not([type=button]), textarea, select");
  return (field ? "" : own) || clean(element.placeholder) || clean(element.title);
}

function byRole(role, wanted) {
  const implicit = IMPLICIT[role] ? `:is(${IMPLICIT[role]}):not([role]), ` : "";
  const all = [...document.querySelectorAll(`${implicit}[role~="${role}"]`)].filter(visible);
  const named = all.map((element) => [element, name(element)]);
  const exact = named.filter(([, is]) => is === wanted);
  return (exact.length ? exact : named.filter(([, is]) => is.includes(wanted))).map(([element]) => element);
}

function byText(wanted) {
  const holds = (element) => clean(element.textContent).includes(wanted);
  const all = [...document.body.querySelectorAll("*")].filter((element) => holds(element) && visible(element));
  return all.filter((element) => ![...element.children].some((child) => holds(child) && visible(child)));
}

function find({ css, text, role, name }) {
  if (css !== undefined) return [...document.querySelectorAll(css)].filter(visible);
  if (text !== undefined) return byText(clean(text));
  return byRole(role, clean(name));
}
