// Passwords, readable: for systems that the host cannot speak to. Whoever wrote the rotator can then read them.
//
//     import { reveal } from "./pawl/reveal.js";
//
//     const text = reveal(rotation.pending().sensitive("password"));
//
// Each time, the rotation's history says so first. Lines of log and failures that hold the value are not kept.
//
// Needs `reveal = true` in [grants] of pawl.toml: without, a rotator cannot import it.

import * as host from "pawl:rotation/reveal@0.1.0";

import { SecretError, told } from "./failure.js";
import { raw } from "./rotation.js";

/** The text of a sensitive value of the secret. */
export function reveal(value) {
  return told(SecretError, () => host.reveal(raw(value)));
}
