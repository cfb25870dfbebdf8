"""What a caller wants, from its stream id (draft section 3.2.1.3 and appendix B). Sans-IO.

The dialects:

    #!::r=live/NAME,m=publish,u=USER,key=SECRET      the access control syntax
    #!:{r=live/NAME,m=publish}                       the same as a block; values may be blocks, they are kept as text
    publish:live/NAME                                action and path, as MediaMTX has it
    publish:live/NAME:USER:SECRET                      with user and password
    publish:live/NAME?key=SECRET, publish:live/NAME:key=SECRET   with a query
    live/NAME?key=SECRET                             path and query
    NAME                                             a bare name
    (empty)                                          the shell's default stream

Percent-encoding is kept as sent: encoders pass on what the user typed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .errors import StreamIdError
from .limits import MAX_STREAM_ID_BYTES

MAX_PARAMETERS = 32
"""Most keys or query parameters; more are refused."""
MAX_NESTING = 4
"""Deepest nesting of `{}`; more is refused."""
PREFIX = "#!:"
"""Announces the access control syntax (draft appendix B.1)."""
SECRET_KEYS = ("key", "pass", "password", "token")
"""Names under which a publish key may stand, the first found counts."""


class Mode(enum.Enum):
    """What the caller expects (key `m`, draft appendix B.2)."""

    PUBLISH = "publish"
    """It sends."""
    REQUEST = "request"
    """It wants to receive."""
    BIDIRECTIONAL = "bidirectional"
    """Both."""
    UNSTATED = ""
    """It does not say. By the draft that means `request`; on a port that only receives, callers mean `publish`."""


ACTIONS = {
    "publish": Mode.PUBLISH,
    "push": Mode.PUBLISH,
    "read": Mode.REQUEST,
    "request": Mode.REQUEST,
    "play": Mode.REQUEST,
    "subscribe": Mode.REQUEST,
}
"""First words of the `action:path` dialect."""


@dataclass(frozen=True, slots=True)
class StreamId:
    """A stream id, read. What may hold a secret is left out of the text form."""

    resource: str = ""
    """The path, such as `live/NAME`, without slashes at its ends; empty when the caller gave none."""
    mode: Mode = Mode.UNSTATED
    user: str = ""
    key: str = field(default="", repr=False)
    """A publish key or password."""
    query: dict[str, str] = field(default_factory=dict, repr=False)
    """Everything else that was given by name: query parameters, and keys such as `h`, `s` and `t`."""

    @property
    def app(self) -> str:
        """All but the last component of the path: `live` of `live/NAME`."""
        return self.resource.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.resource.rpartition("/")[2]

    @property
    def may_publish(self) -> bool:
        """The caller sends, or does not say that it will not."""
        return self.mode is not Mode.REQUEST


def parse(text: str) -> StreamId:
    """Read a stream id of any dialect.

    Raises:
        StreamIdError: it is too long, holds control characters, or its access control syntax is broken.
    """
    if len(text.encode()) > MAX_STREAM_ID_BYTES:
        raise StreamIdError(f"longer than {MAX_STREAM_ID_BYTES} bytes")
    if not text.isprintable():
        raise StreamIdError("holds characters that cannot be printed")
    text = text.strip()
    if text.startswith(PREFIX):
        return _from_pairs(_pairs(text[len(PREFIX) :]))
    action, colon, rest = text.partition(":")
    if colon and action.lower() in ACTIONS:
        return _from_action(ACTIONS[action.lower()], rest)
    path, _, query = text.partition("?")
    return _finish(path, Mode.UNSTATED, "", "", _query(query))


def _pairs(content: str) -> dict[str, str]:
    """The key-value pairs behind the prefix (draft appendix B.1)."""
    if content.startswith(":"):
        content = content[1:]
    elif content.startswith("{") and content.endswith("}"):
        content = content[1:-1]
    else:
        raise StreamIdError("an unknown form of the access control syntax")
    pairs: dict[str, str] = {}
    for item in _split(content):
        name, equals, value = item.partition("=")
        if not equals and item.strip():
            raise StreamIdError("a key without a value")
        if name.strip():
            pairs.setdefault(name.strip(), value.strip())
    return pairs


def _split(content: str) -> list[str]:
    """Split at commas outside of braces."""
    items, depth, start = [], 0, 0
    for index, char in enumerate(content):
        if char == "{":
            depth += 1
            if depth > MAX_NESTING:
                raise StreamIdError("blocks nested too deep")
        elif char == "}":
            depth -= 1
            if depth < 0:
                raise StreamIdError("a block that closes and never opened")
        elif char == "," and depth == 0:
            items.append(content[start:index])
            start = index + 1
    if depth:
        raise StreamIdError("a block that does not close")
    items.append(content[start:])
    if len(items) > MAX_PARAMETERS:
        raise StreamIdError(f"more than {MAX_PARAMETERS} keys")
    return items


def _from_pairs(pairs: dict[str, str]) -> StreamId:
    """The standard keys (draft appendix B.2)."""
    stated = pairs.pop("m", "")
    try:
        mode = Mode(stated.lower())
    except ValueError:
        raise StreamIdError("an unknown mode") from None
    user = pairs.pop("u", "")
    path, _, query = pairs.pop("r", "").partition("?")
    return _finish(path, mode, user, "", {**_query(query), **pairs})


def _from_action(mode: Mode, rest: str) -> StreamId:
    """`path`, `path?query`, `path:query`, `path:user:password` or `path:user:password:query`."""
    path, _, query = rest.partition("?")
    parts = path.split(":")
    path, extra = parts[0], parts[1:]
    user = secret = ""
    if len(extra) == 1 and not query:
        query = extra[0]
    elif len(extra) in (2, 3):
        user, secret = extra[0], extra[1]
        query = query or "".join(extra[2:])
    elif extra:
        raise StreamIdError("too many fields behind the path")
    return _finish(path, mode, user, secret, _query(query))


def _query(text: str) -> dict[str, str]:
    """`a=1&b=2`; the first of a name counts."""
    parameters: dict[str, str] = {}
    items = text.split("&") if text else []
    if len(items) > MAX_PARAMETERS:
        raise StreamIdError(f"more than {MAX_PARAMETERS} parameters")
    for item in items:
        name, _, value = item.partition("=")
        if name:
            parameters.setdefault(name, value)
    return parameters


def _finish(path: str, mode: Mode, user: str, secret: str, query: dict[str, str]) -> StreamId:
    for name in SECRET_KEYS:
        if not secret and query.get(name):
            secret = query.pop(name)
    if not user:
        user = query.pop("user", "")
    return StreamId(path.strip("/"), mode, user, secret, query)
