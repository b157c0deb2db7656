"""Statements of the rotator's own, over a login. They may do whatever the login may.

    from pawl.statements import execute, query

    rows = query(session, "SELECT usename FROM pg_user WHERE usename = $1", [user])

One statement at a time, with its parameters beside it: `$1`, `$2`, ... on PostgreSQL, `?` on MySQL and MariaDB; each is text, or None for NULL.
No sensitive value is one, and an answer that holds one ends the step. After this a session takes no more `set_password`,
`mirror_account` and `differences`: log in anew for them.
"""

from collections.abc import Sequence

try:
    from wit_world.imports import statements as _statements
except ImportError:
    raise ImportError("pawl.statements needs `statements = true` in [grants] of pawl.toml") from None

from .database import DatabaseError, Session
from .failure import told


def execute(session: Session, statement: str, parameters: Sequence[str | None] = ()) -> int:
    """Runs a statement; how many rows it has touched."""
    return told(DatabaseError, _statements.execute, session._raw, statement, list(parameters))


def query(session: Session, statement: str, parameters: Sequence[str | None] = ()) -> list[list[str | None]]:
    """Runs a statement and gives its rows, each column as text, or None for NULL. On PostgreSQL, what is neither text nor number nor boolean is
    cast to text in the statement."""
    return told(DatabaseError, _statements.query, session._raw, statement, list(parameters))
