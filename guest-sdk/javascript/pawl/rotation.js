// The secret under rotation: its versions, their fields, and the new version that a rotation makes.

import * as secrets from "pawl:rotation/secrets@0.1.0";

import { SecretError, told } from "./failure.js";

// componentize-js 0.23 makes no class for a resource that has no methods, and nevertheless looks for it, by this name, among the globals of
// its own realm. A function that is made there gets at them.
secrets.Version.constructor("this.import_secrets_0_1_0$Sensitive ??= class {};")();

// The host's own handles, which rotators have no use for.
const RAW = Symbol("raw");
export const raw = (wrapped) => wrapped[RAW];

/** A value that can be used and never read: it goes into a login, a password change, a request, a new version. */
export class Sensitive {
  constructor(handle) {
    Object.defineProperty(this, RAW, { value: handle });
  }

  [Symbol.toPrimitive]() {
    throw new TypeError("a sensitive value has no text: give it as it is, and the host writes it where it belongs");
  }

  toString() {
    return this[Symbol.toPrimitive]();
  }

  toJSON() {
    return this[Symbol.toPrimitive]();
  }
}

/** One version of a secret whose value is a JSON object. */
export class Version {
  constructor(handle) {
    Object.defineProperty(this, RAW, { value: handle });
  }

  /** The version's id (AWS's VersionId). */
  get id() {
    return this[RAW].id();
  }

  /** A field that is not sensitive, such as `username` or `host`. An error when there is none. */
  text(field) {
    return there(field, this.findText(field));
  }

  /** A field that is not sensitive, or null. */
  findText(field) {
    return this[RAW].text(field) ?? null;
  }

  /** Any other field, such as `password`. An error when there is none. */
  sensitive(field) {
    return there(field, this.findSensitive(field));
  }

  /** Any other field, or null. */
  findSensitive(field) {
    const handle = this[RAW].sensitive(field) ?? null;
    return handle && new Sensitive(handle);
  }
}

/** The rotation that a step belongs to. */
export class Rotation {
  constructor(handle) {
    Object.defineProperty(this, RAW, { value: handle });
  }

  /** Known before there is a pending version, and the same in every try: an idempotency token, and no secret. */
  get id() {
    return this[RAW].id();
  }

  /** The version with AWSCURRENT: what applications read. */
  current() {
    return new Version(told(SecretError, () => this[RAW].current()));
  }

  /** The version that this rotation makes. An error when it has no value yet: `create` has not run. */
  pending() {
    const pending = this.findPending();
    if (!pending) throw new SecretError("not-found", "the pending version has no value yet");
    return pending;
  }

  /** The version that this rotation makes, or null as long as it has no value. */
  findPending() {
    return version(told(SecretError, () => this[RAW].pending()));
  }

  /** The version with AWSPREVIOUS, or null. */
  previous() {
    return version(told(SecretError, () => this[RAW].previous()));
  }

  /** Versions besides those three whose password a server may have, the likeliest first. */
  others() {
    return told(SecretError, () => this[RAW].others()).map(version);
  }

  /**
   * Whether a server may have taken the pending version's password already. As long as it cannot, a login as pending is refused for
   * certain, and would count against the account's lockout.
   */
  exposed() {
    return told(SecretError, () => this[RAW].exposed());
  }

  /** Another secret's current version, by ARN or name, such as `masterarn`: to log in with, and for nothing else. */
  open(secretId) {
    return new Version(told(SecretError, () => this[RAW].open(secretId)));
  }

  /**
   * A new password, made and held by the host. Rules: length, excludeCharacters, excludeNumbers, excludePunctuation,
   * excludeUppercase, excludeLowercase, requireEachIncludedType. What is not given is as AWS's GetRandomPassword has it, and what
   * the operator has set in the function's environment wins.
   */
  randomPassword(rules = {}) {
    const all = Object.fromEntries(RULES.map((rule) => [rule, rules[rule] ?? null]));
    const unknown = Object.keys(rules).find((rule) => !RULES.includes(rule));
    if (unknown) throw new TypeError(`there is no rule ${unknown} for passwords: ${RULES.join(", ")}`);
    return new Sensitive(told(SecretError, () => this[RAW].randomPassword(all)));
  }

  /**
   * Stores the pending version: AWSCURRENT with the fields that `changes(current)` gives. Keeps what is there when an earlier try got
   * so far.
   */
  createPending(changes) {
    if (this.findPending()) return;
    const current = this.current();
    this.putPending(current, changes(current));
  }

  /** Stores `base` with `changes` as the pending version. The first value stays: a repeated call gives what is stored. */
  putPending(base, changes) {
    const changed = Object.entries(changes).map(([field, value]) => ({
      field,
      value: value instanceof Sensitive ? { tag: "sensitive", val: value[RAW] } : { tag: "text", val: String(value) },
    }));
    return new Version(told(SecretError, () => this[RAW].putPending(base[RAW], changed)));
  }

  /** Moves AWSCURRENT to the pending version. */
  promote() {
    told(SecretError, () => this[RAW].promote());
  }
}

/** The four steps of a rotation. `rotator.js` exports a class that extends this; `set` and `test` are its own. */
export class Rotator {
  /** The field that `create` makes anew. Name another one in `pending-fields` of pawl.toml, too. */
  field = "password";
  /** By which rules. */
  rules = {};

  /** Makes the new value and stores it as the pending version. */
  create(rotation) {
    rotation.createPending(() => ({ [this.field]: rotation.randomPassword(this.rules) }));
  }

  /** Gives the pending version's password to the system that it opens. */
  set() {
    throw new Error("the rotator has no `set`");
  }

  /** Proves that the pending version opens that system. */
  test() {
    throw new Error("the rotator has no `test`");
  }

  /** Moves AWSCURRENT to the pending version. There is rarely a reason to write another. */
  finish(rotation) {
    rotation.promote();
  }
}

const RULES = [
  "length",
  "excludeCharacters",
  "excludeNumbers",
  "excludePunctuation",
  "excludeUppercase",
  "excludeLowercase",
  "requireEachIncludedType",
];

function there(field, value) {
  if (value === null) {
    throw new SecretError("malformed", `the secret has no field \`${field}\` of the kind that the rotator needs`);
  }
  return value;
}

function version(handle) {
  return handle ? new Version(handle) : null;
}
