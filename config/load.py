"""Reads the effective settings: defaults, then the TOML file, then the environment, then flags.

Every problem is told at once, one line each: where the value stands, its key, the value (secrets hidden), what is
wrong with it, and the key that was probably meant. `ConfigError` is all that leaves this module.
"""

from __future__ import annotations

import json
import re
import ssl
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from .describe import (
    ENV_PREFIX,
    HIDDEN,
    Leaf,
    Loaded,
    Shape,
    environment_name,
    leaves,
    nearest,
    parse_text,
    table_keys,
    tables,
)
from .settings import Settings

DEFAULT_FILE = Path("headwater.toml")
"""Read when no file is named and this one is there."""

MAX_FILE_BYTES = 1 << 20
"""A settings file is a few KiB; above this somebody named the wrong file."""

_INDEX = re.compile(r"\[\d+\]")

_SECRET_WORDS = ("key", "password", "passphrase", "secret", "token")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration."""

    where: str
    """`headwater.toml`, `environment HEADWATER_EDGE__HTTP__PORT`, `flag --edge.http.port`."""
    key: str
    """Dotted; empty when the file itself is the problem."""
    value: str | None
    """As written, secrets hidden; None when there is none to show."""
    reason: str
    meant: str | None = None
    """The nearest valid key, for an unknown one."""

    def __str__(self) -> str:
        setting = self.key if self.value is None else f"{self.key} = {self.value}"
        hint = f"; did you mean {self.meant}?" if self.meant else ""
        return ": ".join(part for part in (self.where, setting, self.reason) if part) + hint


class ConfigError(Exception):
    """The configuration cannot be used. `str()` is the whole message for the operator."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(file: Path | None, env: Mapping[str, str], flags: Sequence[tuple[str, str]] = ()) -> Loaded:
    """Read `file` (or `DEFAULT_FILE` when that is there), the `HEADWATER_` names of `env`, and `flags`
    (key, text), the later ones winning. Raises ConfigError."""
    if file is None and DEFAULT_FILE.is_file():
        file = DEFAULT_FILE
    reading = _Reading()
    if file is not None:
        reading.take_file(file)
    for name in sorted(env):
        if name.startswith(ENV_PREFIX):
            reading.take_environment(name, env[name])
    for key, text in flags:
        reading.take_text(key, text, where=f"flag --{key}", spell=lambda known: f"--{known}")
    return reading.result(file)


def read_toml(file: Path) -> dict[str, Any]:
    """The document in `file`. Raises ConfigError."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES + 1)
        if len(text) <= MAX_FILE_BYTES:
            return tomllib.loads(text.decode())
        reason = f"larger than {MAX_FILE_BYTES} bytes"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = f"not valid TOML: {error}"
    raise ConfigError([Problem(str(file), "", None, reason)])


def from_handover(document: str) -> Settings:
    """The settings that a parent process wrote with `handover`. Raises ConfigError."""
    try:
        return Settings.model_validate_json(document)
    except ValidationError as error:
        details = error.errors(include_input=False)
        wrong = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['type']}" for detail in details)
        raise ConfigError([Problem("handover", "", None, wrong)]) from None


def handover(settings: Settings) -> str:
    """`settings` as one line of JSON for a child process, secrets in clear: never for a log or an argument."""
    return json.dumps(settings.model_dump(), default=_clear)


def _clear(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def check_files(loaded: Loaded) -> None:
    """Look at the files that the settings name: certificates load, the state folder can be made. Raises ConfigError."""
    problems: list[Problem] = []
    rtmp = loaded.settings.ingest.rtmp
    if rtmp.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(rtmp.certificate, rtmp.private_key, password=_no_passphrase)
        except _PassphraseAsked:
            key = "ingest.rtmp.certificate" if rtmp.private_key is None else "ingest.rtmp.private_key"
            path = rtmp.private_key or rtmp.certificate
            problems.append(
                Problem(loaded.source(key), key, _plain(key, str(path)), "has a passphrase; give one without")
            )
        except OSError as error:  # ssl.SSLError is one
            key = "ingest.rtmp.certificate"
            reason = f"no usable PEM certificate and key: {error.strerror or error}"
            problems.append(Problem(loaded.source(key), key, f'"{rtmp.certificate}"', reason))
    for index, upstream in enumerate(loaded.settings.edge.upstreams):
        if upstream.ca is not None:
            try:
                ssl.create_default_context(cafile=upstream.ca)
            except OSError as error:
                key = f"edge.upstreams[{index}].ca"
                reason = f"no usable PEM file of authorities: {error.strerror or error}"
                problems.append(Problem(loaded.source("edge.upstreams"), key, f'"{upstream.ca}"', reason))
    tokens = loaded.settings.edge.tokens
    if tokens.enabled:
        problems += _unusable_keys(loaded)
    if loaded.settings.edge.http.tls.enabled:
        problems += _unusable_certificates(loaded)
    for key, folder in (("state.dir", loaded.settings.state.dir), ("edge.disk.dir", loaded.settings.edge.disk.dir)):
        if folder is not None and folder.exists() and not folder.is_dir():
            problems.append(Problem(loaded.source(key), key, f'"{folder}"', "not a folder"))
    if problems:
        raise ConfigError(problems)


def _unusable_keys(loaded: Loaded) -> list[Problem]:
    # Here, so that what no token needs does not load the HTTP client.
    from headwater.edge.keyring import KeyFileError, read_key_set, secrets_of

    found = []
    for key, read in (("edge.tokens.key_file", secrets_of), ("edge.tokens.jwt.jwks", read_key_set)):
        try:
            read(loaded.settings.edge.tokens)
        except KeyFileError as error:
            found.append(Problem(loaded.source(key), key, None, str(error)))
    return found


def _unusable_certificates(loaded: Loaded) -> list[Problem]:
    from headwater.edge.tls import check

    source = loaded.source("edge.http.tls.certificates")
    return [
        Problem(source, error.key, f'"{error.file}"', error.reason) for error in check(loaded.settings.edge.http.tls)
    ]


class _PassphraseAsked(Exception):
    """The private key has a passphrase."""


def _no_passphrase() -> str:
    # Without this OpenSSL asks at the terminal and waits, also in a service.
    raise _PassphraseAsked


class _Reading:
    """The layers read so far: one tree of values, the source of each, the problems found."""

    def __init__(self) -> None:
        self._known = leaves()
        self._tables = table_keys()
        self._tree: dict[str, Any] = {}
        self._sources: dict[str, str] = {}
        self._problems: list[Problem] = []

    def take_file(self, file: Path) -> None:
        try:
            self._take_table(read_toml(file), "", str(file))
        except ConfigError as error:
            self._problems += error.problems

    def take_environment(self, name: str, text: str) -> None:
        key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
        self.take_text(key, text, where=f"environment {name}", spell=environment_name)

    def take_text(self, key: str, text: str, *, where: str, spell: Any) -> None:
        leaf = self._known.get(key)
        if leaf is None:
            self._unknown(key, text, where, spell)
            return
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._problems.append(Problem(where, key, None, "not UTF-8 text"))
            return
        try:
            value = parse_text(leaf, text)
        except ValueError as error:
            self._problems.append(Problem(where, key, _shown(leaf, text), str(error)))
            return
        self._put(key, value, where)

    def result(self, file: Path | None) -> Loaded:
        settings = Settings()
        try:
            # Strict JSON mode: a text is no number and a number no text, while paths and lists are what JSON has.
            settings = Settings.model_validate_json(json.dumps(self._tree, default=str), strict=True)
        except ValidationError as error:
            details: Any = error.errors()
            self._problems += [self._explained(detail) for detail in details]
        if self._problems:
            raise ConfigError(self._problems)
        return Loaded(settings, dict(self._sources), file)

    def _take_table(self, table: Mapping[str, Any], prefix: str, where: str) -> None:
        for name, value in table.items():
            key = f"{prefix}{name}"
            if key in self._known:
                self._put(key, value, where)
            elif isinstance(value, dict) and (key in self._tables or _any_below(key, self._known)):
                self._take_table(value, f"{key}.", where)
            else:
                self._unknown(key, value, where, lambda known: known)

    def _put(self, key: str, value: object, where: str) -> None:
        *path, last = key.split(".")
        table = self._tree
        for name in path:
            table = table.setdefault(name, {})
        table[last] = value
        self._sources[key] = where

    def _unknown(self, key: str, value: object, where: str, spell: Any) -> None:
        if key in self._tables:
            self._problems.append(Problem(where, key, None, "a table of settings, not a setting"))
            return
        shown = None if isinstance(value, dict) else _plain(key, value)
        known = {**self._known, **dict.fromkeys(self._tables)} if isinstance(value, dict) else self._known
        meant = nearest(key, known)
        self._problems.append(Problem(where, key, shown, "unknown key", spell(meant) if meant else None))

    def _explained(self, detail: Any) -> Problem:
        """A pydantic error as a problem of the operator's."""
        inner = detail["ctx"]["key"].split(".") if detail["type"] == "setting" else []
        location = [*detail["loc"], *(int(step) if step.isdecimal() else step for step in inner)]
        key = ""
        value: Any = self._tree
        for step in location:
            key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
            value = _below(value, step)
        general = key.partition("[")[0]
        where = self._sources.get(general, "default")
        if value is None and key in self._known:
            shown = self._known[key].default
        else:
            # Without a key `value` is the whole tree, secrets included.
            shown = None if value is None or not key else _plain(key, value)
        return Problem(where, key, shown, reason_of(detail), _member_meant(key) if _is_unknown(detail) else None)


def _any_below(key: str, known: Mapping[str, Leaf]) -> bool:
    return any(name.startswith(f"{key}.") for name in known)


def _below(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _is_unknown(detail: Any) -> bool:
    return bool(detail["type"] == "extra_forbidden")


def _member_meant(key: str) -> str | None:
    """The nearest member of a list of tables, or of a table in one: `ingest.publish[0].kye` -> `key`."""
    head, _, name = key.rpartition(".")
    table = _INDEX.sub("[]", head)
    names = {leaf.key.rpartition(".")[2]: leaf for entry in tables() if entry.key == table for leaf in entry.leaves}
    return nearest(name, names)


def _shown(leaf: Leaf, text: str) -> str:
    return HIDDEN if leaf.shape is Shape.SECRET else _plain(leaf.key, text)


def _plain(key: str, value: object) -> str:
    """A value as JSON writes it, cut to a line, with everything hidden that could be a secret."""
    last = key.rpartition(".")[2].lower()
    if any(word in last for word in _SECRET_WORDS) or _holds_secret(key):
        return HIDDEN
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _holds_secret(key: str) -> bool:
    """True for a list whose members have secrets."""
    list_of_tables = f"{key.partition('[')[0]}[]"
    members = [table for table in tables() if table.key.startswith(list_of_tables)]
    secret = any(leaf.shape is Shape.SECRET for table in members for leaf in table.leaves)
    return secret and not key.endswith(".name")


_REASONS = {
    "setting": "{reason}",
    "missing": "missing",
    "extra_forbidden": "unknown key",
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "finite_number": "not a finite number",
    "bool_type": "not true or false",
    "string_type": "not a text",
    "path_type": "not a text",
    "tuple_type": "not a list",
    "model_type": "not a table",
    "literal_error": "not one of {expected}",
    "enum": "not one of {expected}",
    "string_pattern_mismatch": "does not match {pattern}",
    "greater_than": "not above {gt}",
    "greater_than_equal": "below the least value, {ge}",
    "less_than_equal": "above the greatest value, {le}",
    "too_short": "shorter than {min_length} characters",
    "too_short of a list": "fewer entries than {min_length}",
    "too_long": "longer than {max_length} characters",
    "multiple_of": "not a multiple of {multiple_of}",
}
"""pydantic's error types in the words of the settings file."""


def reason_of(detail: Any) -> str:
    """What is wrong, for people, of a pydantic error."""
    context = detail.get("ctx", {})
    # pydantic has one type for short texts that are secret and for short lists.
    listed = " of a list" if context.get("field_type") == "Tuple" else ""
    template = _REASONS.get(detail["type"] + listed)
    return str(detail["msg"]) if template is None else template.format_map(context)
