"""What a publisher wants to publish: application, stream name and query, in all the places senders put them. Sans-IO.

The three sources are `app` and `tcUrl` of `connect`, and the stream key of `publish`:

    app             key              means
    live            NAME?key=S       the usual form (ffmpeg, and OBS with the key in its own field)
    live?key=S      NAME             the query given with the server's address
    live/NAME?key=S (empty)          OBS with everything in the server field
    live/NAME?key=S ?key=S           OBS multitrack: the query in both
    (missing)       NAME             the application is taken from tcUrl

Percent-encoding is kept as sent: encoders pass on what the user typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_PARAMETERS = 32
"""Most query parameters that are kept."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to publish. `query` may hold the publish key: it is left out of the text form."""

    app: str
    """The path without its last component, such as `live`."""
    name: str
    """The last component; empty when the publisher gave none."""
    query: dict[str, str] = field(repr=False)


def parse(app: str, tc_url: str, key: str) -> Target:
    """The target of `publish key` on a connection with `app` and `tcUrl`; never fails, parts may be empty.

    A parameter given twice is taken from the most specific place: key, then app, then tcUrl.
    """
    url_path, url_query = _split_url(tc_url)
    app_path, _, app_query = app.partition("?")
    key_path, _, key_query = key.partition("?")
    parts = _components(app_path) or _components(url_path)
    named = _components(key_path)
    # Without a key the last component of a longer path is the name; a single component is the application.
    has_name = bool(named) or len(parts) > 1
    parts += named
    query: dict[str, str] = {}
    for text in (url_query, app_query, key_query):
        _read_query(text, query)
    if not has_name:
        return Target("/".join(parts), "", query)
    return Target("/".join(parts[:-1]), parts[-1], query)


def _split_url(url: str) -> tuple[str, str]:
    """(path, query) of a tcUrl; a stray quote in front of it (Neko) does not matter."""
    _, scheme, rest = url.partition("://")
    location, _, query = (rest if scheme else url).partition("?")
    return location.partition("/")[2], query


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _read_query(text: str, into: dict[str, str]) -> None:
    for parameter in text.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        name, _, value = parameter.partition("=")
        if name and (name in into or len(into) < MAX_PARAMETERS):
            into[name] = value
