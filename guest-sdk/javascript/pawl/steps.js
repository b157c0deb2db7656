// What the component exports: the four steps, done by the rotator of `rotator.js`.

import * as history from "pawl:rotation/log@0.1.0";

import { Failure } from "./failure.js";
import { Rotation, Rotator } from "./rotation.js";
import TheRotator from "../rotator.js";

if (!(TheRotator?.prototype instanceof Rotator)) {
  throw new TypeError("rotator.js needs a class that extends Rotator as its default export");
}

const rotator = new TheRotator();

function run(step, rotation) {
  // Not when the component is built: there is no history to write to.
  const write = (level) => (...texts) => history.write(level, texts.map(String).join(" "));
  const [info, warn] = [write("info"), write("warn")];
  globalThis.console = { log: info, info, debug: write("debug"), warn, error: warn };
  try {
    const result = rotator[step](new Rotation(rotation));
    if (typeof result?.then === "function") throw new TypeError(`${step} must not be async: nobody waits for its promise`);
  } catch (error) {
    if (error instanceof Failure) throw { tag: error.transient ? "transient" : "permanent", val: error.message };
    for (const line of String(error?.stack ?? "").split("\n").filter(Boolean)) warn(line.trim());
    throw { tag: "permanent", val: String(error) };
  }
}

export const steps = {
  createSecret: (rotation) => run("create", rotation),
  setSecret: (rotation) => run("set", rotation),
  testSecret: (rotation) => run("test", rotation),
  finishSecret: (rotation) => run("finish", rotation),
};

// A component has no clock and no chance of its own: its clock would end the step, and its dice fall the same way every time.
const absent = (what) => () => {
  throw new TypeError(`a rotator has no ${what}`);
};
Math.random = absent("randomness of its own: rotation.randomPassword makes passwords");
Date.now = absent("clock");
