"""The records of a load run as JSON and back: `records`, and every dataclass that is built of the same kinds of field.

    a dataclass       an object with its fields' names
    an enumeration    its value
    a tuple           an array
    a mapping         an object; keys that are enumerations as their values
    bytes             text, one character a byte: encoded histograms are ASCII

Strict: what a field's type does not allow raises RecordError, which names the place (`timings.part: not a string`).
Sans-IO.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

T = TypeVar("T")

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""What `json` knows."""

MAX_CHARS = 256 << 20
"""Longest text that is read. Why: an hour of four processes with full histograms every second is near 100 MiB."""


class RecordError(ValueError):
    """A text is not the record that was asked for; the message says where and why."""


def to_text(record: object) -> str:
    """One line of JSON."""
    return json.dumps(dump(record), separators=(",", ":"), allow_nan=False)


def from_text(kind: type[T], text: str | bytes) -> T:
    """The record of a text. Raises RecordError."""
    return load(kind, parse(text))


def parse(text: str | bytes) -> object:
    """What stands in a text, for `load`. Raises RecordError, also for NaN and Infinity, which are no JSON."""
    if len(text) > MAX_CHARS:
        raise RecordError("the text is too long")
    try:
        return cast(object, json.loads(text, parse_constant=_not_finite))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from None


def dump(value: object) -> Json:
    """`value` as `json` knows it. Raises TypeError for what is no record."""
    if isinstance(value, enum.Enum):
        return cast(str, value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Mapping):
        return {str(dump(key)): dump(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: dump(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is no record")


def load(kind: type[T], data: object) -> T:
    """The record of type `kind` in `data`. Raises RecordError."""
    return cast(T, _loader(cast(Hashable, kind))(data, ""))


_Loader = Callable[[object, str], object]


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _fail(place: str, what: str) -> typing.NoReturn:
    raise RecordError(f"{place or 'record'}: {what}")


@functools.cache
def _loader(kind: Any) -> _Loader:
    """How a value of this type is read; made once per type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*arguments)
    if dataclasses.is_dataclass(kind):
        return _dataclass(cast(type, kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enumeration(kind)
    return _SIMPLE[kind]


def _optional(arguments: tuple[Any, ...]) -> _Loader:
    inner = [argument for argument in arguments if argument is not types.NoneType]
    if len(inner) != 1 or len(arguments) != 2:
        raise TypeError(f"no record holds {arguments}")
    read = _loader(inner[0])
    return lambda data, place: None if data is None else read(data, place)


def _tuple(arguments: tuple[Any, ...]) -> _Loader:
    alike = len(arguments) == 2 and arguments[1] is Ellipsis
    loaders = [_loader(argument) for argument in arguments if argument is not Ellipsis]

    def read(data: object, place: str) -> object:
        if not isinstance(data, list):
            _fail(place, "not an array")
        if not alike and len(data) != len(loaders):
            _fail(place, f"not {len(loaders)} values")
        each = loaders * len(data) if alike else loaders
        return tuple(
            load_one(item, f"{place}[{index}]") for index, (load_one, item) in enumerate(zip(each, data, strict=True))
        )

    return read


def _mapping(key: Any, value: Any) -> _Loader:
    read_key, read_value = _loader(key), _loader(value)

    def read(data: object, place: str) -> object:
        if not isinstance(data, dict):
            _fail(place, "not an object")
        return {read_key(name, place): read_value(item, f"{place}.{name}") for name, item in data.items()}

    return read


def _enumeration(kind: type[enum.Enum]) -> _Loader:
    values = {member.value: member for member in kind}

    def read(data: object, place: str) -> object:
        if not isinstance(data, str) or data not in values:
            _fail(place, f"{data!r:.60} is not one of {', '.join(map(str, values))}")
        return values[data]

    return read


def _dataclass(kind: type) -> _Loader:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    loaders: dict[str, _Loader] = {field.name: _loader(hints[field.name]) for field in fields}
    needed = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def read(data: object, place: str) -> object:
        if not isinstance(data, dict):
            _fail(place, "not an object")
        if unknown := data.keys() - loaders.keys():
            _fail(place, f"unknown field {min(unknown)!r:.60}")
        if missing := needed - data.keys():
            _fail(place, f"field {min(missing)!r} is missing")
        prefix = f"{place}." if place else ""
        return kind(**{name: loaders[name](item, prefix + name) for name, item in data.items()})

    return read


def _text(data: object, place: str) -> object:
    return data if isinstance(data, str) else _fail(place, "not a string")


def _bytes(data: object, place: str) -> object:
    if not isinstance(data, str):
        _fail(place, "not a string")
    try:
        return data.encode("latin-1")
    except UnicodeEncodeError:
        _fail(place, "not bytes")


def _flag(data: object, place: str) -> object:
    return data if isinstance(data, bool) else _fail(place, "not true or false")


def _integer(data: object, place: str) -> object:
    return data if isinstance(data, int) and not isinstance(data, bool) else _fail(place, "not an integer")


def _number(data: object, place: str) -> object:
    if not isinstance(data, int | float) or isinstance(data, bool):
        _fail(place, "not a number")
    try:
        number = float(data)
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else _fail(place, "not a finite number")


_SIMPLE: dict[Any, _Loader] = {str: _text, bytes: _bytes, bool: _flag, int: _integer, float: _number}
