"""Requests that the host makes, as far as the function's grants go. Nothing is followed: a redirect is an answer.

    new = rotation.pending().sensitive("api_key")
    http.status("PUT", url, bearer=old, json={"key": new}).success("setting the new key")

A sensitive value stands in a request as it is, in `json`, in `form`, or as one piece of a header field or a body:
`headers={"x-api-key": new}`, `headers={"authorization": ["Token ", new]}`.
"""

import json as _json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

try:
    from wit_world.imports import http
except ImportError:
    raise ImportError("pawl.http needs [[grants.http]] in pawl.toml") from None

from .failure import HostError, Permanent, Transient, told
from .rotation import Sensitive

Pieces = str | Sensitive | Sequence[str | Sensitive]
"""Text, a sensitive value, or a list of both, one behind the other."""


class Status(int):
    """An answer's status."""

    @property
    def is_success(self) -> bool:
        """Whether the server did what it was asked (2xx)."""
        return 200 <= self <= 299

    @property
    def is_refusal(self) -> bool:
        """Whether the server does not know the credentials, or what they may not do (401, 403)."""
        return self in (401, 403)

    @property
    def is_transient(self) -> bool:
        """Whether the same request may be answered otherwise a while later (408, 425, 429, 5xx)."""
        return self in (408, 425, 429) or 500 <= self <= 599

    def success(self, what: str) -> None:
        """Insists on success: any other status is a failure, with what was done, and whose move it is."""
        if not self.is_success:
            failure = Transient if self.is_transient else Permanent
            raise failure(f"{what}: the server answered with status {int(self)}")


class HttpError(HostError):
    """Why there is no answer: not-granted, refused, unreachable, untrusted, lockout-budget-spent, lost, unreadable, superseded.
    After `lost` it is not known whether the request had effect: the step runs again, so begin by asking."""

    _transient = frozenset({"unreachable", "lost"})
    status: Status | None = None
    """Of an answer that is unreadable: its status."""

    @classmethod
    def _of(cls, value: Any) -> "HttpError":
        error = super()._of(value)
        if error.kind == "unreadable":
            error.status = Status(value.value)
            error.transient = error.status.is_transient
        return error

    @classmethod
    def _text(cls, kind: str, value: Any) -> str:
        if kind == "unreadable":
            return f"the server answered with status {value}, and the answer is too long, compressed, or no text"
        return super()._text(kind, value)


@dataclass(frozen=True)
class Response:
    """A whole answer. No sensitive value of the secret is in it."""

    status: Status
    headers: list[tuple[str, str]]
    """Names in lower case, without cookies."""
    body: str

    def header(self, name: str) -> str | None:
        """The first header field of this name."""
        return next((value for found, value in self.headers if found == name), None)

    def json(self) -> Any:
        """The body, which is JSON."""
        return _json.loads(self.body)


def status(method: str, url: str, **request: Any) -> Status:
    """Sends a request (see `send`), and gives the answer's status. The rest of the answer is not looked at."""
    return _exchange(method, url, http.Answer.STATUS, **request).status


def send(method: str, url: str, **request: Any) -> Response:
    """Sends a request, and gives the whole answer, text of at most 64 KiB. Needs `answers = true` in the grant.

    `headers`: names in lower case, and Pieces. `bearer`: a value, as the authorization. `basic`: a user name and a value.
    One of `json`: what JSON has, and values; `form`: fields, of text and values; `body`: Pieces, with their `content_type`.
    """
    return _exchange(method, url, http.Answer.WHOLE, **request)


@dataclass(frozen=True)
class Captured:
    """What became of a request for keys."""

    status: Status
    keys: list[Sensitive]
    """A key for each place, in their order; none unless the status is 2xx."""

    def key(self, what: str) -> Sensitive:
        """The key of a request with one place. Any other status than 2xx is a failure, with what was done, and whose move it is."""
        self.status.success(what)
        if not self.keys:
            raise Permanent(f"{what}: the server gave no key")
        return self.keys[0]


def capture(method: str, url: str, places: Sequence[str], **request: Any) -> Captured:
    """Sends a request (see `send`) whose answer holds new keys, and takes them from there, for `put_pending`: `places` as the grant's `capture`
    names them, `["json:/data/key"]`, `["header:x-api-key"]`. In `create` alone, before there is a pending version.

    Send `rotation.id` as the idempotency token of a server that knows such tokens: a host may die between this and the pending version, and
    the next try asks again.
    """
    wanted = [_place(place) for place in places]
    made = told(HttpError, http.capture, _request(method, url, http.Answer.STATUS, **request), wanted)
    return Captured(Status(made.status), [Sensitive(raw) for raw in made.values])


def _place(text: str) -> http.Place:
    match text.split(":", 1):
        case ["json", pointer]:
            return http.Place_Json(pointer)
        case ["header", name]:
            return http.Place_Header(name)
    raise ValueError(f"a key's place is json: and a pointer, or header: and a name, and not {text!r}")


def _exchange(method: str, url: str, answer: http.Answer, **request: Any) -> Response:
    response = told(HttpError, http.send, _request(method, url, answer, **request))
    found = [(field.name, field.value) for field in response.headers]
    return Response(Status(response.status), found, response.body)


def _request(
    method: str,
    url: str,
    answer: http.Answer,
    *,
    headers: Mapping[str, Pieces] | None = None,
    bearer: Sensitive | None = None,
    basic: tuple[str, Sensitive] | None = None,
    json: Any = None,
    form: Mapping[str, str | Sensitive] | None = None,
    body: Pieces = (),
    content_type: str | None = None,
) -> http.Request:
    fields = [http.Header(name, _parts(value)) for name, value in (headers or {}).items()]
    if bearer is not None:
        fields.append(http.Header("authorization", _parts(["Bearer ", bearer])))
    if basic is not None:
        encoded = http.Part_Basic(http.Basic(basic[0], basic[1]._raw))
        fields.append(http.Header("authorization", [http.Part_Text("Basic "), encoded]))
    parts = _parts(body)
    if json is not None:
        parts, content_type = list(_json_parts(json)), "application/json"
    elif form is not None:
        parts, content_type = list(_form_parts(form)), "application/x-www-form-urlencoded"
    if content_type is not None:
        fields.append(http.Header("content-type", [http.Part_Text(content_type)]))
    return http.Request(method, url, fields, parts, answer)


def _parts(pieces: Pieces) -> list[http.Part]:
    if isinstance(pieces, str | Sensitive):
        pieces = [pieces]
    return [
        http.Part_Sensitive(piece._raw) if isinstance(piece, Sensitive) else http.Part_Text(piece) for piece in pieces
    ]


def _json_parts(value: Any):
    """JSON, with each sensitive value as the inside of a string."""
    match value:
        case Sensitive():
            yield from (http.Part_Text('"'), http.Part_Json(value._raw), http.Part_Text('"'))
        case dict():
            yield http.Part_Text("{")
            for at, (name, inner) in enumerate(value.items()):
                yield http.Part_Text(f"{', ' if at else ''}{_json.dumps(name)}: ")
                yield from _json_parts(inner)
            yield http.Part_Text("}")
        case list() | tuple():
            yield http.Part_Text("[")
            for at, inner in enumerate(value):
                if at:
                    yield http.Part_Text(", ")
                yield from _json_parts(inner)
            yield http.Part_Text("]")
        case _:
            yield http.Part_Text(_json.dumps(value))


def _form_parts(form: Mapping[str, str | Sensitive]):
    for at, (name, value) in enumerate(form.items()):
        yield http.Part_Text(f"{'&' if at else ''}{quote(name, safe='')}=")
        if isinstance(value, Sensitive):
            yield http.Part_Percent(value._raw)
        else:
            yield http.Part_Text(quote(value, safe=""))
