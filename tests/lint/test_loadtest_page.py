"""docs/loadtest.md names every option of the command, and every key of a scenario file."""

from __future__ import annotations

import argparse
import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from headwater.config.load import ConfigError
from headwater.loadtest.scenario.arguments import add_to
from headwater.loadtest.scenario.files import validated
from headwater.loadtest.scenario.publishing import Fault, Publisher
from headwater.loadtest.scenario.settings import Arrivals, Phase, Scenario, Viewers
from headwater.loadtest.scenario.steps import ChaosStep

PAGE = (Path(__file__).parents[2] / "docs" / "loadtest.md").read_text()
MODELS: tuple[type[BaseModel], ...] = (
    Scenario, Viewers, Phase, Publisher,
    *(arm for union in (Arrivals, ChaosStep, Fault) for arm in typing.get_args(typing.get_args(union)[0])),
)  # fmt: skip


def test_every_option() -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    add_to(commands)
    options = [option for action in commands.choices["loadtest"]._actions for option in action.option_strings]
    missing = {option for option in options if option.startswith("--") and f"`{option}" not in PAGE}
    assert missing == {"--help"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key(model: type[BaseModel]) -> None:
    missing = {name for name in model.model_fields if not re.search(rf"[`\[]{name}\b", PAGE)}
    assert not missing


def test_the_scenario_on_the_page_is_valid() -> None:
    import tomllib

    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    try:
        validated(tomllib.loads(text), "docs/loadtest.md")
    except ConfigError as error:
        pytest.fail(str(error))
