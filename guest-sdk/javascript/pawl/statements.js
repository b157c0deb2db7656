// Statements of the rotator's own, over a login. They may do whatever the login may.
//
//     import { execute, query } from "./pawl/statements.js";
//
//     const rows = query(session, "SELECT usename FROM pg_user WHERE usename = $1", [user]);
//
// One statement at a time, with its parameters beside it: `$1`, `$2`, ... on PostgreSQL, `?` on MySQL and MariaDB; each is text, or null for
// NULL. No sensitive value is one, and an answer that holds one ends the step. After this a session takes no more `setPassword`,
// `mirrorAccount` and `differences`: log in anew for them.
//
// Needs `statements = true` in [grants] of pawl.toml: without, a rotator cannot import it.

import * as host from "pawl:rotation/statements@0.1.0";

import { DatabaseError, rawSession } from "./database.js";
import { told } from "./failure.js";

/** Runs a statement; how many rows it has touched. */
export function execute(session, statement, parameters = []) {
  return told(DatabaseError, () => host.execute(rawSession(session), statement, texts(parameters)));
}

/**
 * Runs a statement and gives its rows, each column as text, or null for NULL. On PostgreSQL, what is neither text nor number nor boolean is
 * cast to text in the statement.
 */
export function query(session, statement, parameters = []) {
  const rows = told(DatabaseError, () => host.query(rawSession(session), statement, texts(parameters)));
  return rows.map((row) => row.map((column) => column ?? null));
}

const texts = (parameters) => parameters.map((text) => (text === null || text === undefined ? undefined : String(text)));
