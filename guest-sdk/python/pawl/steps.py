"""What the component exports: the four steps, done by the one rotator of `rotator.py`."""

import io
import sys

import rotator
from componentize_py_types import Err
from wit_world.exports import steps
from wit_world.imports import log

from .failure import Failure
from .rotation import Rotation, Rotator


def _the_rotator() -> Rotator:
    found = [
        it
        for it in vars(rotator).values()
        if isinstance(it, type) and issubclass(it, Rotator) and it.__module__ == rotator.__name__
    ]
    if len(found) != 1:
        raise ImportError(f"rotator.py needs one class that is made of pawl.Rotator, and has {len(found)}")
    return found[0]()


_ROTATOR = _the_rotator()


class _Lines(io.TextIOBase):
    """What a rotator prints: lines of the rotation's history."""

    def __init__(self):
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            log.write(log.Level.INFO, line)
        return len(text)


class Steps:
    def create_secret(self, rotation) -> None:
        _run(_ROTATOR.create, rotation)

    def set_secret(self, rotation) -> None:
        _run(_ROTATOR.set, rotation)

    def test_secret(self, rotation) -> None:
        _run(_ROTATOR.test, rotation)

    def finish_secret(self, rotation) -> None:
        _run(_ROTATOR.finish, rotation)


def _run(step, rotation) -> None:
    # Not when the component is built: there is no history to write to.
    sys.stdout = sys.stderr = _Lines()
    try:
        if hasattr(step(Rotation(rotation)), "__await__"):
            raise TypeError(f"{step.__name__} must not be async: nobody awaits it")
        return
    except Failure as failure:
        text, kind = str(failure), steps.Failure_Transient if failure.transient else steps.Failure_Permanent
    except BaseException as error:
        _tell(error)
        text, kind = f"{type(error).__name__}: {error}", steps.Failure_Permanent
    raise Err(kind(text))


def _tell(error: BaseException) -> None:
    """Where it happened. There are no files to read the lines of the source from."""
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if "/pawl/" not in code.co_filename:
            name = code.co_filename.rsplit("/", 1)[-1]
            log.write(log.Level.WARN, f"{name}:{at.tb_lineno}: in {code.co_name}")
        at = at.tb_next
