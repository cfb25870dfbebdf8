"""A status as values."""

from __future__ import annotations

from headwater.config.status import Problem, RenditionStatus, StageStatus, Status, StreamStatus, UpstreamStatus


def make_status(
    *, role: str = "edge", ready: str | None = None, problems: tuple[Problem, ...] = (), name: str = "show"
) -> Status:
    """One stream called `name` with two renditions."""
    renditions = (
        RenditionStatus("720p", "following", "segment 1234, 0.3 s old", 1_234, 3_100_000),
        RenditionStatus("audio", "following"),
    )
    return Status(
        role=role,
        version="0.1.0",
        uptime_s=4_000.0,
        ready=ready,
        window_s=300.0,
        streams=(StreamStatus(name, "following", "since now", 1_300, renditions),),
        upstream=UpstreamStatus("http://127.0.0.1:8081", True, "last answer 0.2 s ago"),
        stages=(StageStatus("edge_fill", 900, 0.0012, 0.0043), StageStatus("first_byte", 0, None, None)),
        problems=problems,
    )
