"""Passwords, readable: for systems that the host cannot speak to. Whoever wrote the rotator can then read them.

    from pawl.reveal import reveal

    text = reveal(rotation.pending().sensitive("password"))

Each time, the rotation's history says so first. Lines of log and failures that hold the value are not kept.
"""

try:
    from wit_world.imports import reveal as _reveal
except ImportError:
    raise ImportError("pawl.reveal needs `reveal = true` in [grants] of pawl.toml") from None

from .failure import SecretError, told
from .rotation import Sensitive


def reveal(value: Sensitive) -> str:
    """The text of a sensitive value of the secret."""
    return told(SecretError, _reveal.reveal, value._raw)
