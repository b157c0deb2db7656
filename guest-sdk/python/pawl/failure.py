"""What goes wrong, and whose move it is then."""

import re
from collections.abc import Callable
from typing import Any

from componentize_py_types import Err

_SUPERSEDED = "another rotation, or a person, has taken over this secret"


class Failure(Exception):
    """Why a step did not succeed. Raise Transient or Permanent; what the host refuses is one of the two by itself."""

    transient = False


class Transient(Failure):
    """Worth another try by itself: the host calls the step again after a while."""

    transient = True


class Permanent(Failure):
    """A person must act. What else a step raises counts as this."""


class HostError(Failure):
    """Why the host, or a server, did not do it. `kind` is the word that the contract (WIT) has for it."""

    _transient: frozenset[str] = frozenset()

    def __init__(self, kind: str, text: str):
        super().__init__(text)
        self.kind = kind
        self.transient = kind in self._transient

    @classmethod
    def _of(cls, value: Any) -> "HostError":
        """The error of a variant's case: Error_NotFound is `not-found`."""
        case = type(value).__name__.split("_", 1)[-1]
        kind = re.sub(r"(?<!^)(?=[A-Z])", "-", case).lower()
        return cls(kind, cls._text(kind, getattr(value, "value", None)))

    @classmethod
    def _text(cls, kind: str, value: Any) -> str:
        return _SUPERSEDED if kind == "superseded" else str(value)


class SecretError(HostError):
    """Why the host did not read or write a version: not-found, malformed, refused, superseded, unavailable."""

    _transient = frozenset({"unavailable"})


def told(error: type[HostError], call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call to the host gives, or its error as one of ours."""
    try:
        return call(*arguments)
    except Err as err:
        raise error._of(err.value) from None
