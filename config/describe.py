"""What each setting is, read off the settings tree: key, shape, unit, bounds, default, meaning, reason. Sans-IO.

One list feeds everything that speaks of settings: `config.load` (which texts and keys are valid), `headwater config
show`, and the reference in `docs/configuration.md`.
"""

from __future__ import annotations

import difflib
import enum
import functools
import json
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from .settings import Settings

ENV_PREFIX = "HEADWATER_"

HIDDEN = "(hidden)"
"""Stands where a secret would be."""


class Shape(enum.Enum):
    """How a setting's value is written; the value is how a message names it."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    SWITCH = "true or false"
    TEXT = "a text"
    CHOICE = "one of its choices"
    SECRET = "a text that is kept secret"  # noqa: S105  # a description
    LIST = "a list"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting."""

    key: str
    """Dotted path: `edge.http.port`."""
    shape: Shape
    optional: bool
    """True: may be left unset."""
    unit: str
    """`s`, `ms`, `bytes`, `bit/s`, `count`, `port`, `px`, `1/s`; empty where the value has none."""
    bounds: str
    """`0 to 65535`, `one of info, debug`; empty where every value of the shape is valid."""
    default: str | None
    """As TOML; None: unset. A required member of a list has `(required)`."""
    meaning: str
    reason: str
    """Why the default is what it is; may be empty."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the TOML file and its own settings, sub-tables not included."""

    key: str
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Effective settings and where each value came from."""

    settings: Settings
    sources: Mapping[str, str]
    """By key, for all that is not a default: `headwater.toml`, `environment HEADWATER_EDGE__HTTP__PORT`,
    `flag --edge.http.port`."""
    file: Path | None

    def source(self, key: str) -> str:
        """Where the effective value of `key` came from."""
        return self.sources.get(key, "default")


@functools.cache
def tables() -> tuple[Table, ...]:
    """Every table in the order of the tree; the members of a list of tables come as `ingest.publish[]`, and lists and
    tables in them as `ingest.encode.stream[].rungs[]`."""
    return tuple(_tables("", Settings))


def leaves() -> dict[str, Leaf]:
    """Every setting that a file, the environment or a flag can set, by key."""
    return {leaf.key: leaf for table in tables() if "[]" not in table.key for leaf in table.leaves}


def table_keys() -> set[str]:
    """Keys that are tables and therefore take no value of their own."""
    keys = {table.key for table in tables() if "[]" not in table.key}
    return keys | {key.rpartition(".")[0] for key in keys if "." in key}


def nearest(key: str, known: Mapping[str, object]) -> str | None:
    """The known key that was most likely meant; None when nothing is near."""
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.75)
    if close:
        return close[0]
    last = key.rpartition(".")[2]
    ends = {name.rpartition(".")[2]: name for name in reversed(list(known))}
    same_end = difflib.get_close_matches(last, list(ends), n=1, cutoff=0.75)
    if same_end:
        fitting = [name for name in known if name.rpartition(".")[2] == same_end[0]]
        return difflib.get_close_matches(key, fitting, n=1, cutoff=0)[0]
    wide = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return wide[0] if wide else None


def environment_name(key: str) -> str:
    """The environment variable of a key: `edge.http.port` -> `HEADWATER_EDGE__HTTP__PORT`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def parse_text(leaf: Leaf, text: str) -> object:
    """The value behind the text of an environment variable or a flag. ValueError: what it should have been.

    Texts stand as they are, numbers and switches as in TOML, lists as a TOML array or, for lists of texts, as
    words between commas. An empty text leaves an optional setting unset.
    """
    if leaf.optional and not text:
        return None
    match leaf.shape:
        case Shape.WHOLE:
            return _number(int, leaf, text)
        case Shape.NUMBER:
            return _number(float, leaf, text)
        case Shape.SWITCH:
            return _switch(leaf, text)
        case Shape.LIST:
            return _list(leaf, text)
        case Shape.TEXT | Shape.CHOICE | Shape.SECRET:
            return text


def value_at(settings: BaseModel, key: str) -> object:
    """The effective value of `key`."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def written(value: object) -> str | None:
    """`value` as TOML writes it, secrets hidden; None for an unset value."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        case SecretStr():
            return HIDDEN
        case BaseModel():
            members = ((name, written(getattr(value, name))) for name in type(value).model_fields)
            return "{ " + ", ".join(f"{name} = {text}" for name, text in members if text is not None) + " }"
        case tuple() | list():
            return "[" + ", ".join(written(item) or "" for item in value) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _number(convert: type[int] | type[float], leaf: Leaf, text: str) -> int | float:
    try:
        return convert(text)
    except ValueError:
        raise ValueError(f"not {leaf.shape.value}") from None


def _switch(leaf: Leaf, text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise ValueError(f"not {leaf.shape.value}") from None


def _list(leaf: Leaf, text: str) -> object:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError("not a list as TOML writes it") from None


def _tables(key: str, model: type[BaseModel]) -> Iterator[Table]:
    own: list[Leaf] = []
    below: list[Table] = []
    for name, field in model.model_fields.items():
        path = f"{key}.{name}" if key else name
        kind, _, _ = _unwrapped(field)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            below += _tables(path, kind)
            continue
        own.append(_leaf(path, field))
        item = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None
        if isinstance(item, type) and issubclass(item, BaseModel):
            below += _tables(f"{path}[]", item)
    if own:
        yield Table(key, tuple(own))
    yield from below


def _leaf(key: str, field: FieldInfo) -> Leaf:
    kind, optional, inner = _unwrapped(field)
    extra = inner.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    meaning, _, reason = (field.description or "").partition("Why:")
    return Leaf(
        key=key,
        shape=_shape(kind),
        optional=optional,
        unit=unit,
        bounds=_bounds(kind, inner),
        default="(required)" if field.is_required() else written(field.default),
        meaning=meaning.strip(),
        reason=reason.strip()[:1].upper() + reason.strip()[1:],
    )


def _unwrapped(field: FieldInfo) -> tuple[Any, bool, FieldInfo]:
    """The type without `| None`, whether None was there, and the field that holds unit and bounds."""
    kind: Any = field.annotation
    optional = False
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(kind) if arm is not type(None)]
        optional = len(arms) < len(typing.get_args(kind))
        kind = arms[0]
    if typing.get_origin(kind) is typing.Annotated:
        kind, inner = typing.get_args(kind)[:2]
        return kind, optional, inner
    return kind, optional, field


def _shape(kind: Any) -> Shape:
    if typing.get_origin(kind) is typing.Literal:
        return Shape.CHOICE
    if typing.get_origin(kind) is tuple:
        return Shape.LIST
    shapes = {
        bool: Shape.SWITCH,
        int: Shape.WHOLE,
        float: Shape.NUMBER,
        SecretStr: Shape.SECRET,
        str: Shape.TEXT,
        Path: Shape.TEXT,
    }
    return shapes[kind]


def _bounds(kind: Any, field: FieldInfo) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    low = high = ""
    for mark in field.metadata:
        match mark:
            case Ge():
                low = _plain(mark.ge)
            case Gt():
                low = f"above {_plain(mark.gt)}"
            case Le():
                high = _plain(mark.le)
    return f"{low} to {high}" if low and high else ""


def _plain(bound: Any) -> str:
    return f"{bound:_}" if isinstance(bound, int) and bound >= 10_000 else str(bound)
