// Write a rotator for Pawl: the four steps of a rotation, without ever seeing a password.
//
//     import { Rotator } from "./pawl/index.js";
//     import { Session, loginKnown } from "./pawl/database.js";
//
//     export default class SingleUser extends Rotator {
//       set(rotation) {
//         const pending = rotation.pending();
//         const login = loginKnown(rotation);
//         if (!login.alreadySet) login.session.setPassword(pending.text("username"), pending.sensitive("password"));
//       }
//
//       test(rotation) {
//         Session.login(rotation.pending()).ping();
//       }
//     }
//
// A step may be called again after it has succeeded, because a host can die between a step's end and the note of it: begin each by
// looking at what is already so. Every call finds the module as it was when the component was built.

import * as host from "pawl:rotation/configuration@0.1.0";
import * as history from "pawl:rotation/log@0.1.0";

export { Failure, HostError, Permanent, SecretError, Transient } from "./failure.js";
export { Rotation, Rotator, Sensitive, Version } from "./rotation.js";

/** A variable of the function's environment, as the operator has set it; null when there is none. */
export function configuration(name) {
  return host.get(name) ?? null;
}

/** Writes a line to the rotation's history. Levels: debug, info, warn. `console.log` does the same. */
export function log(text, level = "info") {
  history.write(level, String(text));
}
