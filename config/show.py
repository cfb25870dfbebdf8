"""`headwater config show`: the effective settings for people, as TOML, and the reference page. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from .describe import HIDDEN, Leaf, Loaded, Table, environment_name, tables, value_at, written

_UNSET = "(unset)"


def text(loaded: Loaded, prefix: str = "") -> str:
    """Every setting below `prefix` with value, source, unit, bounds, default and reason."""
    blocks = []
    for leaf in _leaves(prefix):
        value = written(value_at(loaded.settings, leaf.key)) or _UNSET
        facts = [f"from {loaded.source(leaf.key)}" if leaf.key in loaded.sources else "default"]
        facts += [fact for fact in (_range(leaf),) if fact]
        if leaf.key in loaded.sources:
            facts.append(f"default {leaf.default or _UNSET}")
        lines = [f"{leaf.key} = {value}", f"    {'; '.join(facts)}", f"    {leaf.meaning}"]
        if leaf.reason:
            lines.append(f"    Why: {leaf.reason}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def toml(loaded: Loaded, prefix: str = "") -> str:
    """The effective settings as a TOML file. Secrets are left out as comments, so that the file does not load with
    a made-up one."""
    sections = []
    for table in tables():
        if "[]" in table.key or not any(_below(leaf.key, prefix) for leaf in table.leaves):
            continue
        lines = [f"[{table.key}]"]
        members: list[str] = []
        for leaf in table.leaves:
            name = leaf.key.rpartition(".")[2]
            value = value_at(loaded.settings, leaf.key)
            if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
                members += [_member(leaf.key, entry) for entry in value]
            elif value is None:
                lines.append(f"# {name} is unset")
            else:
                lines.append(f"{name} = {written(value)}")
        sections.append("\n".join(lines))
        sections += members
    return "\n\n".join(sections)


def markdown() -> str:
    """The reference of all settings with their defaults: docs/configuration.md."""
    parts = [_INTRODUCTION]
    shown: dict[tuple[str, ...], str] = {}
    for table in tables():
        # What stands in a list for some streams only has the keys of what stands outside of it.
        keys = tuple(f"{leaf.key.rpartition('.')[2]}: {leaf.meaning}" for leaf in table.leaves)
        same = shown.setdefault(keys, _title(table))
        parts.append(_markdown_table(table) if same == _title(table) else _markdown_reference(table, same))
    return "\n".join(parts)


def _leaves(prefix: str) -> Iterator[Leaf]:
    for table in tables():
        if "[]" not in table.key:
            yield from (leaf for leaf in table.leaves if _below(leaf.key, prefix))


def _below(key: str, prefix: str) -> bool:
    return not prefix or key == prefix or key.startswith(f"{prefix}.")


def _range(leaf: Leaf) -> str:
    if not leaf.bounds:
        return leaf.unit
    return f"{leaf.bounds} {leaf.unit}".strip() if leaf.unit not in ("", "port", "count") else leaf.bounds


def _member(key: str, entry: BaseModel) -> str:
    lines = [f"[[{key}]]"]
    for name in type(entry).model_fields:
        value = written(getattr(entry, name))
        if value is not None:
            lines.append(f"# {name} is set and not shown" if value == HIDDEN else f"{name} = {value}")
    return "\n".join(lines)


def _title(table: Table) -> str:
    """As TOML writes it: a table inside a list of tables has no brackets of its own within."""
    path = table.key.replace("[]", "")
    return f"[[{path}]]" if table.key.endswith("[]") else f"[{path}]"


def _markdown_reference(table: Table, same: str) -> str:
    return f"## `{_title(table)}`\n\nThe keys of `{same}`.\n"


def _markdown_table(table: Table) -> str:
    lines = [f"## `{_title(table)}`", "", "| key | default | values | what it does |", "|---|---|---|---|"]
    for leaf in table.leaves:
        name = leaf.key.rpartition(".")[2]
        default = f"`{leaf.default}`" if leaf.default not in (None, "(required)") else leaf.default or "unset"
        values = _range(leaf) or leaf.shape.value
        reason = f" *Why:* {leaf.reason}" if leaf.reason else ""
        cells = (f"`{name}`", default, values, f"{leaf.meaning}{reason}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


_EXAMPLE = "edge.http.port"

_INTRODUCTION = f"""# Settings

<!-- Made by `make docs` from config/settings.py; change it there. -->

Every setting has a default; an empty configuration is a working server. A value comes from, the later ones winning:

1. the default;
2. the TOML file: `--config FILE`, else `headwater.toml` in the working directory when there is one;
3. the environment: `{environment_name(_EXAMPLE)}=8090`;
4. a flag of the command: `--{_EXAMPLE} 8090`.

In the environment and in flags a list of tables is written as in TOML:
`{environment_name("ingest.publish")}='[{{ name = "*", key = "a-long-secret" }}]'`; a list of words also with commas
between. An empty text unsets a setting that may be unset.

`headwater config check` says what is wrong with a configuration; `headwater config show` prints the effective
settings with the source of each value. An unknown key, a wrong type or a value out of range ends every command with
exit code 2 and one line per problem: where it stands, the key, the value, the reason, and the key that was probably
meant. A port of 0 picks a free one and prints it.
"""
