"""What every table of settings is made of. Sans-IO."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
"""What a stream may be called; the same in every protocol and URL."""


class Section(BaseModel):
    """A table of settings: unknown keys are errors, values are not changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def wrong(key: str, reason: str) -> PydanticCustomError:
    """The error of a value that is valid alone but not beside the others; `key` is relative to its table."""
    return PydanticCustomError("setting", "{reason}", {"key": key, "reason": reason})
