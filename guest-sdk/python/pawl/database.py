"""Logins to the database that a version of the secret describes. The host reads the credentials and dials."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

try:
    from wit_world.imports import database
except ImportError:
    raise ImportError("pawl.database needs `engines` in [grants] of pawl.toml") from None

from .failure import HostError, told
from .rotation import Rotation, Sensitive, Version


class LoginError(HostError):
    """Why a login did not succeed: refused, unreachable, untrusted, not-granted, lockout-budget-spent, malformed, rejected,
    superseded."""

    _transient = frozenset({"unreachable"})


class DatabaseError(HostError):
    """Why a statement did not succeed: rejected, refused, superseded, lost."""

    _transient = frozenset({"lost"})

    @classmethod
    def _text(cls, kind: str, value: Any) -> str:
        if kind == "rejected":
            return f"the server rejected the statement with code {value}"
        return super()._text(kind, value)


class Session:
    """A login. It ends when nobody holds it any more."""

    def __init__(self, raw: database.Session):
        self._raw = raw

    @staticmethod
    def login(credentials: Version) -> "Session":
        """Logs in with a version's credentials."""
        return Session(told(LoginError, database.Session.login, credentials._raw))

    @staticmethod
    def login_first(candidates: Iterable[Version]) -> "Session":
        """Logs in with the first version whose password the server accepts. Only `refused` leads to the next: a server that does
        not answer will not answer the next one either, and every failed login costs a part of the account's lockout budget."""
        refusals: list[str] = []
        for version in candidates:
            try:
                return Session.login(version)
            except LoginError as error:
                if error.kind != "refused":
                    raise
                # The same account on the same server says the same of each password.
                if str(error) not in refusals:
                    refusals.append(str(error))
        if not refusals:
            raise LoginError("malformed", "there is no version to log in with")
        raise LoginError("refused", "; ".join(refusals))

    def ping(self) -> None:
        """A round trip that needs no privilege."""
        told(DatabaseError, self._raw.ping)

    def set_password(self, account: str, password: Sensitive) -> None:
        """Changes `account`'s password. The host takes only a value that is stored in this secret, and only the account of the
        pending version."""
        told(DatabaseError, self._raw.set_password, account, password._raw)

    def mirror_account(self, like: str, account: str, password: Sensitive) -> None:
        """Makes `account` able to do exactly what `like` can, and gives it a password: creates it, or repairs it. `like` is the
        user name of AWSCURRENT, `account` the pending version's (`alternate` of it)."""
        told(DatabaseError, self._raw.mirror_account, like, account, password._raw)

    def differences(self, like: str, account: str) -> list[str]:
        """What `account` can or cannot do otherwise than `like`, in words for people; empty when nothing."""
        return told(DatabaseError, self._raw.differences, like, account)


@dataclass(frozen=True)
class Login:
    """A login with one of the secret's own versions."""

    session: Session
    already_set: bool
    """Whether it was the pending version's: then an earlier try has set the password already."""


def login_known(rotation: Rotation) -> Login:
    """Logs in as the account that AWSCURRENT names, with the first known password that the server accepts: the pending one if it
    may be there already (asked again after the current one), the current one, the previous one, and earlier ones. This is how a
    rotation heals a database that was restored from a backup or changed by hand."""
    current = rotation.current()

    def same(version: Version | None) -> bool:
        names = ("username", "host")
        return version is not None and all(version.find_text(it) == current.find_text(it) for it in names)

    pending = rotation.find_pending() if rotation.exposed() else None
    older = [version for version in (rotation.previous(), *rotation.others()) if same(version)]
    if not same(pending):
        return Login(Session.login_first([current, *older]), already_set=False)
    refusal = None
    # The COMMIT of an earlier try, whose host is dead, may take effect between the first two: then the third is accepted.
    for version, already_set in ((pending, True), (current, False), (pending, True)):
        try:
            return Login(Session.login(version), already_set)
        except LoginError as error:
            if error.kind != "refused":
                raise
            refusal = error
    if not older:
        raise refusal
    return Login(Session.login_first(older), already_set=False)


def alternate(username: str) -> str | None:
    """The other of the two user names between which alternating users change, by AWS's rule: `_clone` taken off, or put on."""
    if username.endswith("_clone"):
        return username.removesuffix("_clone") or None
    return f"{username}_clone"
