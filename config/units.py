"""Units of settings: one place that says what a second, a byte or a port may be. Sans-IO."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

Port = Annotated[int, Field(ge=0, le=65_535, json_schema_extra={"unit": "port"})]
"""A TCP or UDP port; 0 picks a free one and prints it."""

Seconds = Annotated[float, Field(gt=0, le=86_400, json_schema_extra={"unit": "s"})]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000, json_schema_extra={"unit": "ms"})]
Bytes = Annotated[int, Field(ge=1, le=1 << 44, json_schema_extra={"unit": "bytes"})]
MAX_COUNT = 10_000_000
Count = Annotated[int, Field(ge=1, le=MAX_COUNT, json_schema_extra={"unit": "count"})]
BitRate = Annotated[int, Field(ge=1_000, le=10_000_000_000, json_schema_extra={"unit": "bit/s"})]
