// Draws /v1/openapi.json. Everything enters the page as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with attributes and children; a text child stays text. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Text whose `words` between backticks are code. */
function prose(text) {
  return text.split("`").map((part, i) => i % 2 ? make("code", {}, part) : part);
}

/** What a `$ref` of the document stands for. */
function resolve(root, value) {
  if (!value || !value.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
}

function refName(value) {
  return value && value.$ref ? value.$ref.split("/").pop() : null;
}

/** A schema in a word or two. */
function typeName(root, schema) {
  if (!schema) return "anything";
  const name = refName(schema);
  if (name) return resolve(root, schema).type === "object" ? name : typeName(root, resolve(root, schema));
  const variants = schema.oneOf || schema.anyOf || schema.allOf;
  if (variants) return variants.map((variant) => typeName(root, variant)).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${typeName(root, schema.items)}`;
  return [].concat(schema.type || "anything").join(" or ");
}

/** The object behind a schema, through references, lists and alternatives with null. */
function objectOf(root, schema) {
  const found = resolve(root, schema);
  if (!found) return null;
  if (found.properties) return found;
  if (found.items) return objectOf(root, found.items);
  return (found.oneOf || found.anyOf || found.allOf || []).map((variant) => objectOf(root, variant)).find(Boolean) || null;
}

function fieldTable(root, schema, depth) {
  const object = objectOf(root, schema);
  if (!object) return null;
  const required = object.required || [];
  const rows = Object.entries(object.properties).map(([name, field]) => {
    const inner = depth < 3 && objectOf(root, field) ? fieldTable(root, field, depth + 1) : null;
    const text = field.description || (resolve(root, field) || {}).description || "";
    const nested = inner && make("details", { class: "fields" }, make("summary", { class: "faint" }, "members"), inner);
    return make("tr", {},
      make("td", {}, make("code", {}, name), required.includes(name) ? "" : make("span", { class: "faint" }, " optional")),
      make("td", {}, make("span", { class: "faint" }, typeName(root, field)), ...(text ? prose(` · ${text}`) : []), nested));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

function block(title, ...children) {
  const shown = children.filter(Boolean);
  return shown.length ? make("div", {}, make("h3", {}, title), ...shown) : null;
}

function parameters(root, operation) {
  const all = (operation.parameters || []).map((parameter) => resolve(root, parameter));
  if (!all.length) return null;
  const rows = all.map((parameter) => make("tr", {},
    make("td", {}, make("code", {}, parameter.name), make("span", { class: "faint" }, ` ${parameter.in}`)),
    make("td", {}, make("span", { class: "faint" }, typeName(root, parameter.schema)),
      ...(parameter.description ? prose(` · ${parameter.description}`) : []))));
  return block("Parameters", make("table", {}, make("tbody", {}, ...rows)));
}

/** The schema of the JSON that an operation takes. */
function bodySchema(root, operation) {
  const content = (resolve(root, operation.requestBody) || {}).content || {};
  return (content["application/json"] || {}).schema;
}

function body(root, operation) {
  const schema = bodySchema(root, operation);
  return schema ? block("Body", fieldTable(root, schema, 0) || typeName(root, schema)) : null;
}

/** A value that fits a schema, as far as its examples tell; undefined where they do not. */
function example(root, reference) {
  const schema = resolve(root, reference) || {};
  if (schema.example !== undefined) return schema.example;
  if (schema.examples) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const variant = (schema.oneOf || schema.anyOf || schema.allOf || []).find((one) => one.type !== "null");
  if (variant) return example(root, variant);
  if (schema.items) return [example(root, schema.items)].filter((item) => item !== undefined);
  if (!schema.properties) return undefined;
  const members = Object.entries(schema.properties).map(([name, member]) => [name, example(root, member)]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

function responses(root, operation) {
  const rows = Object.entries(operation.responses).map(([status, reference]) => {
    const response = resolve(root, reference);
    const [media] = Object.values(response.content || {});
    const table = status < 400 && media ? fieldTable(root, media.schema, 0) : null;
    return make("tr", {}, make("td", {}, make("code", {}, status)),
      make("td", {}, ...prose(response.description || ""), table && make("div", { class: "fields" }, table)));
  });
  return block("Answers", make("table", {}, make("tbody", {}, ...rows)));
}

/** The scheme of an operation's credential, and the permissions that it needs. */
function credential(operation) {
  const [requirement] = operation.security || [];
  const [[scheme, permissions]] = requirement ? Object.entries(requirement) : [[null, []]];
  return { scheme, permissions };
}

function needs(operation) {
  const { scheme, permissions } = credential(operation);
  if (!scheme) return "open to everybody";
  if (scheme === "write_key") return "needs a source's write key";
  return permissions.length ? `needs a token with ${permissions.join(", ")}` : "needs a token";
}

function curl(root, path, method, operation) {
  const { scheme } = credential(operation);
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}"${location.origin}${path}"`];
  if (scheme === "write_key") lines.push(`-u "$WRITE_KEY:"`);
  else if (scheme) lines.push(`-H "Authorization: Bearer $TEST_TOKEN"`);
  if (operation.requestBody) {
    const text = JSON.stringify(example(root, bodySchema(root, operation)) ?? {}, null, 2).replaceAll("'", "'\\''");
    lines.push(`-H "Content-Type: application/json"`, `-d '${text}'`);
  }
  return lines.join(" \\\n  ");
}

function draw(root, path, method, operation) {
  const verb = make("span", { class: `method ${method}` }, method.toUpperCase());
  return make("section", { id: operation.operationId },
    make("h2", {}, operation.summary || operation.operationId),
    make("p", { class: "route" }, verb, make("code", {}, path)),
    make("p", { class: "faint" }, needs(operation)),
    operation.description ? make("p", {}, ...prose(operation.description)) : null,
    parameters(root, operation), body(root, operation), responses(root, operation),
    block("Call", make("pre", {}, curl(root, path, method, operation))));
}

function entry(method, operation) {
  const verb = make("span", { class: `method ${method}` }, method.toUpperCase());
  return make("a", { href: `#${operation.operationId}` }, verb, operation.summary || operation.operationId);
}

function show(root) {
  const groups = new Map();
  for (const [path, item] of Object.entries(root.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = (item[method].tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), [path, method, item[method]]]);
    }
  }
  const index = document.getElementById("index");
  const main = document.getElementById("operations");
  for (const [tag, operations] of [...groups].sort()) {
    index.append(make("h2", {}, tag), ...operations.map(([, method, operation]) => entry(method, operation)));
    main.append(...operations.map(([path, method, operation]) => draw(root, path, method, operation)));
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** Hides what does not have the words. */
function search(words) {
  for (const section of document.querySelectorAll("section")) {
    const hidden = !section.textContent.toLowerCase().includes(words.toLowerCase());
    section.hidden = hidden;
    document.querySelector(`nav a[href="#${section.id}"]`).hidden = hidden;
  }
}

document.getElementById("search").addEventListener("input", (event) => search(event.target.value.trim()));
fetch("/v1/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => document.getElementById("operations").append(`The document cannot be drawn: ${error}`));
