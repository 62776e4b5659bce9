// Runs a page's script with just as much of a browser as it uses, as told by JSON on standard input:
// {script, hash, language, route, fields, status, answer}. Tells on standard output what it did before the button and
// after it.
const vm = require("node:vm");
const told = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const requests = [], visited = [], listeners = {}, button = { disabled: false };
const form = {
  hidden: false, dataset: { route: told.route, done: "Done.", doneDe: "Getan." },
  querySelector: () => button, addEventListener: (name, listener) => { listeners[name] = listener; },
};
const said = { textContent: "" }, heading = { textContent: "A title", dataset: { de: "Ein Titel" } };
const document = {
  documentElement: { lang: "en" }, querySelectorAll: () => [heading],
  querySelector: (selector) => ({ form, "#said": said })[selector],
};
class FormData { *[Symbol.iterator]() { yield* Object.entries(told.fields); } }
const fetch = async (url, options) => {
  requests.push({ url, method: options.method, type: options.headers["content-type"], body: JSON.parse(options.body) });
  if (told.status === 0) throw new TypeError("unreachable");
  return { ok: told.status === 200, status: told.status, json: async () => told.answer };
};
vm.runInNewContext(told.script, {
  document, fetch, FormData, URLSearchParams, navigator: { language: told.language },
  location: { hash: told.hash, pathname: "/page" }, history: { replaceState: (state, title, url) => visited.push(url) },
});
const before = { requests: requests.length, hidden: form.hidden, said: said.textContent };
if (!form.hidden) listeners.submit({ preventDefault: () => {} });
setTimeout(() => console.log(JSON.stringify({
  before, requests, visited, hidden: form.hidden, said: said.textContent, title: heading.textContent,
  language: document.documentElement.lang, disabled: button.disabled,
})), 20);
