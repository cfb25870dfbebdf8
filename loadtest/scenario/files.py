"""Reads a scenario file. Every problem is told, a line each: file, key, value, reason, the key that was meant."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from headwater.config.describe import nearest
from headwater.config.load import ConfigError, Problem, read_toml, reason_of
from headwater.loadtest.results.invariants import InvariantError, check_invariant

from .settings import Scenario, resolved

SHOWN_CHARS = 80


def load(file: Path) -> Scenario:
    """The scenario of a file; paths in it are taken from the file's folder. Raises ConfigError."""
    return resolved(validated(read_toml(file), str(file)), file.parent)


def validated(document: dict[str, Any], where: str) -> Scenario:
    """The scenario in a document; `where` names it in errors. Raises ConfigError."""
    try:
        # Strict JSON mode: a text is no number and a number no text, while paths and lists are what JSON has.
        scenario = Scenario.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        details: Any = error.errors()
        # A list whose members are wrong counts as too short as well.
        told = [detail for detail in details if detail["type"] != "too_short" or not detail["input"]]
        raise ConfigError([_problem(detail, document, where) for detail in told or details]) from None
    problems = [problem for number in range(len(scenario.phases)) for problem in _invariants(scenario, number, where)]
    if problems:
        raise ConfigError(problems)
    return scenario


def _invariants(scenario: Scenario, number: int, where: str) -> list[Problem]:
    problems = []
    for index, text in enumerate(scenario.phases[number].invariants):
        try:
            check_invariant(text)
        except InvariantError as error:
            key = f"phases[{number}].invariants[{index}]"
            problems.append(Problem(where, key, json.dumps(text, ensure_ascii=False), str(error)))
    return problems


def _problem(detail: Any, document: dict[str, Any], where: str) -> Problem:
    """A pydantic error as a problem of the file's author."""
    context = detail.get("ctx", {})
    inner = [int(step) if step.isdecimal() else step for step in context["key"].split(".")] if "key" in context else []
    key, value, model = _walk([*detail["loc"], *inner], document)
    if detail["type"] == "union_tag_not_found":
        return Problem(where, f"{key}.{_tag_name(context)}", None, "missing")
    if detail["type"] == "union_tag_invalid":
        wanted = context["expected_tags"].replace("'", "")
        tags = wanted.split(", ")
        key = f"{key}.{_tag_name(context)}"
        return Problem(
            where, key, json.dumps(context["tag"]), f"not one of {wanted}", nearest(context["tag"], dict.fromkeys(tags))
        )
    tables = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
    shown = None if value is None or not key or tables else _cut(value)
    meant = None
    if detail["type"] == "extra_forbidden" and model is not None:
        meant = nearest(key.rpartition(".")[2], dict.fromkeys(model.model_fields))
    return Problem(where, key, shown, reason_of(detail), meant)


def _tag_name(context: Any) -> str:
    return str(context["discriminator"]).strip("'")


def _cut(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 3]}..."


def _walk(steps: Sequence[int | str], document: object) -> tuple[str, object, type[BaseModel] | None]:
    """The key as the author wrote it, its value, and the table that it stands in.

    pydantic puts the tag of a union into the path (`phases, 0, chaos, 1, kill, pidfile`), where no key is.
    """
    key, value = "", document
    model: type[BaseModel] | None = Scenario
    kinds: dict[str, type[BaseModel]] = {}
    for step in steps:
        if isinstance(step, str) and step in kinds and isinstance(value, dict) and step in value.values():
            model, kinds = kinds[step], {}
            continue
        if isinstance(step, int):
            key += f"[{step}]"
        else:
            field = model.model_fields.get(step) if model is not None else None
            kinds = {} if field is None else _tables(field.annotation)
            model = kinds.get("", model)
            key += f".{step}" if key else step
        value = _below(value, step)
    return key, value, model


def _tables(annotation: Any) -> dict[str, type[BaseModel]]:
    """The tables that a list may hold, by their tag; by "" where there is only one kind."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            if typing.get_origin(field.annotation) is typing.Literal:
                return dict.fromkeys(typing.get_args(field.annotation), annotation)
        return {"": annotation}
    found: dict[str, type[BaseModel]] = {}
    if typing.get_origin(annotation) in (tuple, typing.Annotated, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            found |= _tables(argument)
    return found


def _below(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None
