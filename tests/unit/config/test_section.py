"""What every table of settings has in common."""

from __future__ import annotations

import re

import pytest
from pydantic import Field, ValidationError, model_validator

from headwater.config.section import NAME_PATTERN, Section, wrong


class Low(Section):
    """A table with one rule of its own."""

    least: int = 1
    most: int = Field(9, le=10)

    @model_validator(mode="after")
    def _ordered(self) -> Low:
        if self.least > self.most:
            raise wrong("least", f"more than `most`, {self.most} {{key}}")
        return self


class Above(Section):
    """A table with a table in it."""

    low: Low = Low()


class Careless(Section):
    """A table whose default breaks its own bound."""

    most: int = Field(11, le=10)


def refused(model: type[Section], values: dict[str, object]) -> tuple[str, tuple[int | str, ...], str]:
    """Type, place and message of the one error."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    (error,) = caught.value.errors()
    return error["type"], error["loc"], error["msg"]


def test_a_key_that_is_unknown_is_an_error_at_every_depth() -> None:
    said = "Extra inputs are not permitted"
    assert refused(Low, {"leest": 2}) == ("extra_forbidden", ("leest",), said)
    assert refused(Above, {"low": {"leest": 2}}) == ("extra_forbidden", ("low", "leest"), said)


def test_values_are_not_changed_after_loading() -> None:
    low = Low(least=2)
    with pytest.raises(ValidationError) as caught:
        low.least = 3  # type: ignore[misc]
    assert caught.value.errors()[0]["type"] == "frozen_instance"
    assert low.least == 2


def test_tables_with_the_same_values_are_the_same() -> None:
    assert Above() == Above(low=Low(least=1))
    assert len({Low(), Low(most=9), Low(most=8)}) == 2


def test_a_default_is_held_to_its_bounds() -> None:
    assert refused(Careless, {}) == ("less_than_equal", ("most",), "Input should be less than or equal to 10")
    assert Careless(most=10).most == 10


def test_the_error_of_a_contradiction_names_its_key_and_its_reason() -> None:
    with pytest.raises(ValidationError) as caught:
        Above.model_validate({"low": {"least": 5, "most": 4}})
    (error,) = caught.value.errors()
    assert (error["type"], error["loc"]) == ("setting", ("low",))
    assert error["ctx"] == {"key": "least", "reason": "more than `most`, 4 {key}"}
    assert error["msg"] == "more than `most`, 4 {key}", "braces in a value are no template"


def test_a_key_may_lead_below_its_table() -> None:
    error = wrong("pull.1.name", "the same as another")
    assert (error.type, error.context) == ("setting", {"key": "pull.1.name", "reason": "the same as another"})
    assert error.message() == "the same as another"


@pytest.mark.parametrize("name", ["a", "Cam_1-main", "-", "0" * 64])
def test_names_of_streams(name: str) -> None:
    assert re.fullmatch(NAME_PATTERN, name)


@pytest.mark.parametrize("name", ["", "0" * 65, "a b", "a/b", "a.b", "..", "%61", "ä", "a\n", "\na", "a\nb", "٣"])
def test_what_is_no_name_of_a_stream(name: str) -> None:
    assert not re.fullmatch(NAME_PATTERN, name)
