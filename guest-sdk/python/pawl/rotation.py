"""The secret under rotation: its versions, their fields, and the new version that a rotation makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wit_world.imports import secrets

from .failure import SecretError, told


class Sensitive:
    """A value that can be used and never read: it goes into a login, a password change, a request, a new version."""

    def __init__(self, raw: secrets.Sensitive):
        self._raw = raw

    def __repr__(self) -> str:
        return "Sensitive()"

    def __str__(self) -> str:
        raise TypeError("a sensitive value has no text: give it as it is, and the host writes it where it belongs")

    def __format__(self, spec: str) -> str:
        return str(self)


class Version:
    """One version of a secret whose value is a JSON object."""

    def __init__(self, raw: secrets.Version):
        self._raw = raw

    @property
    def id(self) -> str:
        """The version's id (AWS's VersionId)."""
        return self._raw.id()

    def text(self, field: str) -> str:
        """A field that is not sensitive, such as `username` or `host`. An error when there is none."""
        return _there(field, self.find_text(field))

    def find_text(self, field: str) -> str | None:
        """A field that is not sensitive, if the version has it."""
        return self._raw.text(field)

    def sensitive(self, field: str) -> Sensitive:
        """Any other field, such as `password`. An error when there is none."""
        return _there(field, self.find_sensitive(field))

    def find_sensitive(self, field: str) -> Sensitive | None:
        """Any other field, if the version has it."""
        raw = self._raw.sensitive(field)
        return None if raw is None else Sensitive(raw)


@dataclass(frozen=True)
class Rules:
    """Rules for a new password. What is None is as AWS's GetRandomPassword has it, and what the operator has set in the
    function's environment wins over what is asked for here."""

    length: int | None = None
    exclude_characters: str | None = None
    exclude_numbers: bool | None = None
    exclude_punctuation: bool | None = None
    exclude_uppercase: bool | None = None
    exclude_lowercase: bool | None = None
    require_each_included_type: bool | None = None


class Rotation:
    """The rotation that a step belongs to."""

    def __init__(self, raw: secrets.Rotation):
        self._raw = raw

    @property
    def id(self) -> str:
        """Known before there is a pending version, and the same in every try: an idempotency token, and no secret."""
        return self._raw.id()

    def current(self) -> Version:
        """The version with AWSCURRENT: what applications read."""
        return Version(told(SecretError, self._raw.current))

    def pending(self) -> Version:
        """The version that this rotation makes. An error when it has no value yet: `create` has not run."""
        pending = self.find_pending()
        if pending is None:
            raise SecretError("not-found", "the pending version has no value yet")
        return pending

    def find_pending(self) -> Version | None:
        """The version that this rotation makes, if it has a value already."""
        return _version(told(SecretError, self._raw.pending))

    def previous(self) -> Version | None:
        """The version with AWSPREVIOUS, if there is one."""
        return _version(told(SecretError, self._raw.previous))

    def others(self) -> list[Version]:
        """Versions besides those three whose password a server may have, the likeliest first."""
        return [Version(raw) for raw in told(SecretError, self._raw.others)]

    def exposed(self) -> bool:
        """Whether a server may have taken the pending version's password already. As long as it cannot, a login as pending is
        refused for certain, and would count against the account's lockout."""
        return told(SecretError, self._raw.exposed)

    def open(self, secret_id: str) -> Version:
        """Another secret's current version, by ARN or name, such as `masterarn`: to log in with, and for nothing else."""
        return Version(told(SecretError, self._raw.open, secret_id))

    def random_password(self, rules: Rules = Rules()) -> Sensitive:
        """A new password, made and held by the host."""
        return Sensitive(told(SecretError, self._raw.random_password, secrets.PasswordRules(**vars(rules))))

    def create_pending(self, changes: Callable[[Version], Mapping[str, str | Sensitive]]) -> None:
        """Stores the pending version: AWSCURRENT with the fields that `changes` gives. Keeps what is there when an earlier try
        got so far."""
        if self.find_pending() is None:
            current = self.current()
            self.put_pending(current, changes(current))

    def put_pending(self, base: Version, changes: Mapping[str, str | Sensitive]) -> Version:
        """Stores `base` with `changes` as the pending version. The first value stays: a repeated call gives what is stored."""
        changed = [secrets.Change(field, _value(value)) for field, value in changes.items()]
        return Version(told(SecretError, self._raw.put_pending, base._raw, changed))

    def promote(self) -> None:
        """Moves AWSCURRENT to the pending version."""
        told(SecretError, self._raw.promote)


class Rotator:
    """The four steps of a rotation. `rotator.py` has one class that is made of this; `set` and `test` are its own."""

    field = "password"
    """The field that `create` makes anew. Name another one in `pending-fields` of pawl.toml, too."""
    rules = Rules()
    """By which rules."""

    def create(self, rotation: Rotation) -> None:
        """Makes the new value and stores it as the pending version."""
        rotation.create_pending(lambda current: {self.field: rotation.random_password(self.rules)})

    def set(self, rotation: Rotation) -> None:
        """Gives the pending version's password to the system that it opens."""
        raise NotImplementedError("the rotator has no `set`")

    def test(self, rotation: Rotation) -> None:
        """Proves that the pending version opens that system."""
        raise NotImplementedError("the rotator has no `test`")

    def finish(self, rotation: Rotation) -> None:
        """Moves AWSCURRENT to the pending version. There is rarely a reason to write another."""
        rotation.promote()


def _there[T](field: str, value: T | None) -> T:
    if value is None:
        raise SecretError("malformed", f"the secret has no field `{field}` of the kind that the rotator needs")
    return value


def _version(raw: secrets.Version | None) -> Version | None:
    return None if raw is None else Version(raw)


def _value(value: str | Sensitive) -> secrets.NewValue:
    if isinstance(value, Sensitive):
        return secrets.NewValue_Sensitive(value._raw)
    return secrets.NewValue_Text(value)
