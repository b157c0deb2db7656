// Logins to the database that a version of the secret describes. The host reads the credentials and dials.
//
// Needs `engines` in [grants] of pawl.toml: without, a rotator cannot import it.

import * as database from "pawl:rotation/database@0.1.0";

import { HostError, told } from "./failure.js";
import { raw } from "./rotation.js";

/**
 * Why a login did not succeed: refused, unreachable, untrusted, not-granted, lockout-budget-spent, malformed, rejected,
 * superseded.
 */
export class LoginError extends HostError {
  constructor(kind, value) {
    super(kind, value, kind === "unreachable");
  }
}

/** Why a statement did not succeed: rejected, refused, superseded, lost. */
export class DatabaseError extends HostError {
  constructor(kind, value) {
    super(kind, kind === "rejected" ? `the server rejected the statement with code ${value}` : value, kind === "lost");
  }
}

// The host's own handle, for the modules beside this one.
export let rawSession;

/** A login. It ends with the step. */
export class Session {
  #handle;

  static {
    rawSession = (session) => session.#handle;
  }

  constructor(handle) {
    this.#handle = handle;
  }

  /** Logs in with a version's credentials. */
  static login(credentials) {
    return new Session(told(LoginError, () => database.Session.login(raw(credentials))));
  }

  /**
   * Logs in with the first version whose password the server accepts. Only `refused` leads to the next: a server that does not
   * answer will not answer the next one either, and every failed login costs a part of the account's lockout budget.
   */
  static loginFirst(candidates) {
    const refusals = new Set();
    for (const version of candidates) {
      try {
        return Session.login(version);
      } catch (error) {
        if (!(error instanceof LoginError) || error.kind !== "refused") throw error;
        refusals.add(error.message);
      }
    }
    if (refusals.size === 0) throw new LoginError("malformed", "there is no version to log in with");
    throw new LoginError("refused", [...refusals].join("; "));
  }

  /** A round trip that needs no privilege. */
  ping() {
    told(DatabaseError, () => this.#handle.ping());
  }

  /**
   * Changes `account`'s password. The host takes only a value that is stored in this secret, and only the account of the pending
   * version.
   */
  setPassword(account, password) {
    told(DatabaseError, () => this.#handle.setPassword(account, raw(password)));
  }

  /**
   * Makes `account` able to do exactly what `like` can, and gives it a password: creates it, or repairs it. `like` is the user name
   * of AWSCURRENT, `account` the pending version's (`alternate` of it).
   */
  mirrorAccount(like, account, password) {
    told(DatabaseError, () => this.#handle.mirrorAccount(like, account, raw(password)));
  }

  /** What `account` can or cannot do otherwise than `like`, in words for people; empty when nothing. */
  differences(like, account) {
    return told(DatabaseError, () => this.#handle.differences(like, account));
  }
}

/**
 * Logs in as the account that AWSCURRENT names, with the first known password that the server accepts: the pending one if it may be
 * there already (asked again after the current one), the current one, the previous one, and earlier ones. This is how a rotation heals
 * a database that was restored from a backup or changed by hand. Gives the session, and whether it was the pending version's:
 * `{ session, alreadySet }`.
 */
export function loginKnown(rotation) {
  const current = rotation.current();
  const same = (version) => ["username", "host"].every((field) => version?.findText(field) === current.findText(field));
  const pending = rotation.exposed() ? rotation.findPending() : null;
  const older = [rotation.previous(), ...rotation.others()].filter(same);
  if (!same(pending)) return { session: Session.loginFirst([current, ...older]), alreadySet: false };
  let refusal;
  // The COMMIT of an earlier try, whose host is dead, may take effect between the first two: then the third is accepted.
  for (const [version, alreadySet] of [[pending, true], [current, false], [pending, true]]) {
    try {
      return { session: Session.login(version), alreadySet };
    } catch (error) {
      if (!(error instanceof LoginError) || error.kind !== "refused") throw error;
      refusal = error;
    }
  }
  if (older.length === 0) throw refusal;
  return { session: Session.loginFirst(older), alreadySet: false };
}

/** The other of the two user names between which alternating users change, by AWS's rule: `_clone` taken off, or put on. */
export function alternate(username) {
  return username.endsWith("_clone") ? username.slice(0, -"_clone".length) || null : `${username}_clone`;
}
