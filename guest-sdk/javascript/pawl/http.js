// Requests that the host makes, as far as the function's grants go. Nothing is followed: a redirect is an answer.
//
//     const replacement = rotation.pending().sensitive("api_key");
//     http.status("PUT", url, { bearer: old, json: { key: replacement } }).success("setting the new key");
//
// A sensitive value stands in a request as it is, in `json`, in `form`, or as one piece of a header field or a body:
// `headers: { "x-api-key": value }`, `headers: { authorization: ["Token ", value] }`.
//
// Needs [[grants.http]] in pawl.toml: without, a rotator cannot import it.

import * as host from "pawl:rotation/http@0.1.0";

import { HostError, Permanent, Transient, told } from "./failure.js";
import { Sensitive, raw } from "./rotation.js";

/** An answer's status. */
export class Status {
  constructor(code) {
    this.code = code;
  }

  /** Whether the server did what it was asked (2xx). */
  get isSuccess() {
    return this.code >= 200 && this.code <= 299;
  }

  /** Whether the server does not know the credentials, or what they may not do (401, 403). */
  get isRefusal() {
    return this.code === 401 || this.code === 403;
  }

  /** Whether the same request may be answered otherwise a while later (408, 425, 429, 5xx). */
  get isTransient() {
    return [408, 425, 429].includes(this.code) || (this.code >= 500 && this.code <= 599);
  }

  /** Insists on success: any other status is a failure, with what was done, and whose move it is. */
  success(what) {
    if (this.isSuccess) return;
    const Failure = this.isTransient ? Transient : Permanent;
    throw new Failure(`${what}: the server answered with status ${this.code}`);
  }

  toString() {
    return String(this.code);
  }
}

/**
 * Why there is no answer: not-granted, refused, unreachable, untrusted, lockout-budget-spent, lost, unreadable (with its `status`),
 * superseded. After `lost` it is not known whether the request had effect: the step runs again, so begin by asking.
 */
export class HttpError extends HostError {
  constructor(kind, value) {
    const status = kind === "unreadable" ? new Status(value) : null;
    const text = `the server answered with status ${value}, and the answer is too long, compressed, or no text`;
    super(kind, status ? text : value, ["unreachable", "lost"].includes(kind) || status?.isTransient === true);
    this.status = status;
  }
}

/** Sends a request (see `send`), and gives the answer's status. The rest of the answer is not looked at. */
export function status(method, url, request = {}) {
  return new Status(exchange(method, url, request, "status").status);
}

/**
 * Sends a request, and gives the whole answer, `{ status, headers, body }`: text of at most 64 KiB. Needs `answers = true` in the
 * grant.
 *
 * `headers`: names in lower case, and text, a value, or a list of both. `bearer`: a value, as the authorization. `basic`: a list of
 * a user name and a value. One of `json`: what JSON has, and values; `form`: fields, of text and values; `body`: text, a value, or a
 * list of both, with its `contentType`.
 */
export function send(method, url, request = {}) {
  const { status, headers, body } = exchange(method, url, request, "whole");
  return { status: new Status(status), headers: headers.map(({ name, value }) => [name, value]), body };
}

/**
 * Sends a request whose answer holds new keys, and takes them from there: `places` as the grant's `capture` names them,
 * `["json:/data/key"]`, `["header:x-api-key"]`. Gives `{ status, keys, key(what) }`; the keys are sensitive values for `putPending`, one for
 * each place, and none unless the status is 2xx. In `create` alone, before there is a pending version. Send `rotation.id` as the idempotency
 * token of a server that knows such tokens: a host may die between this and the pending version, and the next try asks again.
 */
export function capture(method, url, places, request = {}) {
  const wanted = places.map(place);
  const made = told(HttpError, () => host.capture(written(method, url, request, "status"), wanted));
  const [code, keys] = [new Status(made.status), made.values.map((handle) => new Sensitive(handle))];
  const key = (what) => {
    code.success(what);
    if (keys.length === 0) throw new Permanent(`${what}: the server gave no key`);
    return keys[0];
  };
  return { status: code, keys, key };
}

function place(text) {
  const [, tag, val] = /^(json|header):(.*)$/s.exec(text) ?? [];
  if (!tag) throw new TypeError(`a key's place is json: and a pointer, or header: and a name, and not ${text}`);
  return { tag, val };
}

function exchange(method, url, request, answer) {
  return told(HttpError, () => host.send(written(method, url, request, answer)));
}

function written(method, url, request, answer) {
  const { headers = {}, bearer, basic, json, form, body = [], contentType, ...rest } = request;
  const unknown = Object.keys(rest)[0];
  if (unknown) throw new TypeError(`a request has no ${unknown}`);
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value: parts(value) }));
  const add = (name, value) => fields.push({ name, value });
  if (bearer) add("authorization", parts(["Bearer ", bearer]));
  if (basic) {
    const [user, password] = basic;
    add("authorization", [text("Basic "), { tag: "basic", val: { user, password: raw(password) } }]);
  }
  let [content, type] = [parts(body), contentType];
  if (json !== undefined) [content, type] = [jsonParts(json), "application/json"];
  else if (form) [content, type] = [formParts(form), "application/x-www-form-urlencoded"];
  if (type) add("content-type", [text(type)]);
  return { method, url, headers: fields, body: content, answer };
}

const text = (value) => ({ tag: "text", val: value });

function parts(pieces) {
  const part = (piece) => (piece instanceof Sensitive ? { tag: "sensitive", val: raw(piece) } : text(String(piece)));
  return [pieces].flat().map(part);
}

/** JSON, with each sensitive value as the inside of a string. */
function jsonParts(value) {
  const list = (begin, items, end) => [text(begin), ...items.flatMap((it, at) => (at ? [text(", "), ...it] : it)), text(end)];
  if (value instanceof Sensitive) return [text('"'), { tag: "json", val: raw(value) }, text('"')];
  if (Array.isArray(value)) return list("[", value.map(jsonParts), "]");
  if (value !== null && typeof value === "object") {
    const field = ([name, inner]) => [text(`${JSON.stringify(name)}: `), ...jsonParts(inner)];
    return list("{", Object.entries(value).map(field), "}");
  }
  return [text(JSON.stringify(value) ?? "null")];
}

function formParts(form) {
  return Object.entries(form).flatMap(([name, value], at) => [
    text(`${at ? "&" : ""}${encodeURIComponent(name)}=`),
    value instanceof Sensitive ? { tag: "percent", val: raw(value) } : text(encodeURIComponent(value)),
  ]);
}
