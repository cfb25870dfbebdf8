"""[edge.freshness], [edge.disk]: how long what is cached may be used, and what is kept on disk. Sans-IO."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from .section import Section, wrong
from .units import GIB, KIB, MIB, Bytes, Seconds

Lifetime = Annotated[float, Field(ge=0, le=365 * 86_400, json_schema_extra={"unit": "s"})]


class FreshnessClass(Section):
    """[edge.freshness.CLASS]: of one class of object; what is unset stays as the upstream says it."""

    least_s: Lifetime | None = Field(
        None,
        description="Least lifetime, whatever the upstream states; `no-store` and `private` stand all the same. A live "
        "playlist never gets more than half a target duration by it.",
    )
    most_s: Lifetime | None = Field(None, description="Most lifetime, also of an answer that something is missing.")
    stale_s: Lifetime | None = Field(
        None,
        description="How long past its lifetime it is served while the upstream fails. A live playlist is never served "
        "older than three target durations. Unset: media without end, a playlist for three target durations, other "
        "objects as `stale-if-error` says.",
    )
    negative_s: Lifetime | None = Field(
        None,
        description="Lifetime of 404, 405, 410, 414 and 501. What may belong to a stream can be shortened and not "
        "lengthened: a missing playlist counts for a target duration at most, media for a part.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.least_s or 0.0) > (math.inf if self.most_s is None else self.most_s):
            raise wrong("least_s", f"more than `most_s`, {self.most_s:g} s")
        return self


class Freshness(Section):
    """[edge.freshness]: lifetimes, where the upstream's and the protocol's shall not stand alone."""

    multivariant: FreshnessClass = FreshnessClass()
    playlist: FreshnessClass = FreshnessClass()
    part: FreshnessClass = FreshnessClass()
    segment: FreshnessClass = FreshnessClass()
    init: FreshnessClass = FreshnessClass()
    other: FreshnessClass = FreshnessClass()
    mark_s: Seconds = Field(
        10,
        description="How long nobody queues for a URL whose answers may not be shared (hit-for-miss). Why: long enough "
        "that its viewers do not wait for each other, short enough that a slip of the origin is over soon.",
    )
    vary_ignored: tuple[str, ...] = Field(
        (),
        max_length=16,
        description="Field names that make no difference although `Vary` has them: `user-agent` of an origin that says "
        "so of everything. What varies by other fields than Accept-Encoding and Origin is shared by nobody.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for index, name in enumerate(self.vary_ignored):
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise wrong(f"vary_ignored.{index}", "not the name of a field, such as user-agent")
        return self


class EdgeDisk(Section):
    """[edge.disk]: media that left the memory, for viewers who go back in time; it survives a restart."""

    dir: Path | None = Field(
        None,
        description="Directory of this edge alone, made when it is not there; its files are for their owner only. "
        "Unset: nothing is written.",
    )
    bytes: Bytes = Field(20 * GIB, description="Disk space; above it what was not used for longest goes.")
    min_bytes: Bytes = Field(
        16 * KIB,
        description="Smallest segment that is written; init sections are whatever their size. Why: a small one costs "
        "a file and is quickly fetched.",
    )
    max_object_bytes: Bytes = Field(64 * MIB, description="Largest object that is written.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_bytes > self.max_object_bytes:
            raise wrong("min_bytes", f"more than `max_object_bytes`, {self.max_object_bytes}")
        if self.max_object_bytes > self.bytes:
            raise wrong("max_object_bytes", f"more than `bytes`, {self.bytes}")
        return self
