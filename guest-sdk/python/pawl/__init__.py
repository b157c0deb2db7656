"""Write a rotator for Pawl: the four steps of a rotation, without ever seeing a password.

    from pawl import Rotator
    from pawl.database import Session, login_known

    class SingleUser(Rotator):
        def set(self, rotation):
            pending, login = rotation.pending(), login_known(rotation)
            if not login.already_set:
                login.session.set_password(pending.text("username"), pending.sensitive("password"))

        def test(self, rotation):
            Session.login(rotation.pending()).ping()

A step may be called again after it has succeeded, because a host can die between a step's end and the note of it: begin each by
looking at what is already so. Every call finds the module as it was when the component was built.
"""

from wit_world.imports import configuration as _configuration
from wit_world.imports import log as _log

from .failure import Failure, Permanent, SecretError, Transient
from .rotation import Rotation, Rotator, Rules, Sensitive, Version

__all__ = [
    "Failure",
    "Permanent",
    "Rotation",
    "Rotator",
    "Rules",
    "SecretError",
    "Sensitive",
    "Transient",
    "Version",
    "configuration",
    "log",
]


def configuration(name: str) -> str | None:
    """A variable of the function's environment, as the operator has set it."""
    return _configuration.get(name)


def log(text: str, level: str = "info") -> None:
    """Writes a line to the rotation's history. Levels: debug, info, warn."""
    _log.write(_log.Level[level.upper()], str(text))
