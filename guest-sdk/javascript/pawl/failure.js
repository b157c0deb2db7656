// What goes wrong, and whose move it is then.

const SUPERSEDED = "another rotation, or a person, has taken over this secret";

/** Why a step did not succeed. Throw Transient or Permanent; what the host refuses is one of the two by itself. */
export class Failure extends Error {
  transient = false;

  get name() {
    return this.constructor.name;
  }
}

/** Worth another try by itself: the host calls the step again after a while. */
export class Transient extends Failure {
  transient = true;
}

/** A person must act. What else a step throws counts as this. */
export class Permanent extends Failure {}

/** Why the host, or a server, did not do it. `kind` is the word that the contract (WIT) has for it. */
export class HostError extends Failure {
  constructor(kind, value, transient) {
    super(kind === "superseded" ? SUPERSEDED : String(value));
    this.kind = kind;
    this.transient = transient;
  }
}

/** Why the host did not read or write a version: not-found, malformed, refused, superseded, unavailable. */
export class SecretError extends HostError {
  constructor(kind, value) {
    super(kind, value, kind === "unavailable");
  }
}

/** What a call to the host gives, or its error as one of ours. */
export function told(HostError, call) {
  try {
    return call();
  } catch (error) {
    // What the contract has for it; anything else is a mistake of the rotator's.
    const found = error?.payload ?? error;
    if (typeof found?.tag === "string") throw new HostError(found.tag, found.val);
    throw error;
  }
}
