// Uses what the SDK has beside the usual: a key that a service makes, a password that is read, statements of its own.

import { Permanent, Rotator, log } from "./pawl/index.js";
import { Session, loginKnown } from "./pawl/database.js";
import * as http from "./pawl/http.js";
import { reveal } from "./pawl/reveal.js";
import { execute, query } from "./pawl/statements.js";

const KEYS = "SERVICE/keys";

export default class Everything extends Rotator {
  create(rotation) {
    if (rotation.findPending()) return;
    const made = http.capture("POST", KEYS, ["json:/data/key"], { headers: { "idempotency-key": rotation.id }, body: "{}" });
    rotation.putPending(rotation.current(), {
      password: rotation.randomPassword(),
      token: made.key("asking for a key"),
    });
  }

  set(rotation) {
    const pending = rotation.pending();
    const login = loginKnown(rotation);
    if (!login.alreadySet) login.session.setPassword(pending.text("username"), pending.sensitive("password"));
  }

  test(rotation) {
    const pending = rotation.pending();
    const session = Session.login(pending);
    const rows = query(session, "SELECT current_user::text, $1::text, $2::text", ["some", null]);
    const wanted = JSON.stringify([[pending.text("username"), "some", null]]);
    if (JSON.stringify(rows) !== wanted) throw new Permanent(`${JSON.stringify(rows)} and not ${wanted}`);
    if (execute(session, "SET application_name = 'everything'") !== 0) throw new Permanent("rows were touched");
    const length = reveal(pending.sensitive("password")).length;
    if (length !== 32) throw new Permanent(`a password of ${length} characters was read`);
    log(`all of it, ${reveal(pending.sensitive("token")).length}`);
  }
}
