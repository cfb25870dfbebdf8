"""The settings of what an edge fetches from: `[[edge.upstreams]]` and `[edge.tiers]`. Sans-IO."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from .section import Section, wrong
from .units import Count, Seconds

URL_PATTERN = r"^(https?://[^/?#@\s]+/?|unix:/[^?#\s]+)$"
"""A server without a path, or the Unix socket of a server on this machine."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
"""What an upstream may be called: it is a metric's label and a word in the log."""

MAX_UPSTREAMS = 32
"""Why: a tier has a few; beyond that, put another tier between."""

Weight = Annotated[float, Field(gt=0, le=1_000, json_schema_extra={"unit": "x"})]
PlaylistPath = Annotated[
    str, Field(max_length=500, pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/[A-Za-z0-9_~-][A-Za-z0-9._~-]*\.m3u8?$")
]
"""A path that is its own canonical form."""


class EdgeUpstream(Section):
    """[[edge.upstreams]]: one of several origins, shields or siblings."""

    url: str = Field(pattern=URL_PATTERN, description="`http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.")
    name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Name in metrics and logs, and what streams are spread by: all edges of a tier give an upstream "
        "the same name. Unset: host and port of the URL. A sibling's name is its `edge.node`.",
    )
    weight: Weight = Field(1, description="Share of the streams that it gets, relative to the others.")
    sibling: bool = Field(
        False,
        description="An edge of this same tier. Streams are spread over the siblings and this node; whose turn it is "
        "asks the others (its parents), the rest ask it. Parents are asked in its place when it fails.",
    )
    ca: Path | None = Field(None, description="PEM file of the authorities to trust for https; unset: the system's.")
    insecure: bool = Field(False, description="Accept any certificate. Never across a network that others share.")
    server_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
        description="Name to send (SNI) and to find in the certificate, where it is not the one in the URL.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.url.startswith("https:"):
            for key, is_set in (("ca", self.ca), ("insecure", self.insecure), ("server_name", self.server_name)):
                if is_set:
                    raise wrong(key, "only an https:// upstream has certificates")
        if self.insecure and self.ca is not None:
            raise wrong("insecure", "`ca` would never be looked at")
        return self

    @property
    def label(self) -> str:
        """The name, or what stands for one."""
        if self.name is not None:
            return self.name
        return "unix" if self.url.startswith("unix:") else urlsplit(self.url).netloc


class EdgeTiers(Section):
    """[edge.tiers]: how several upstreams are watched and chosen. Of no effect with one."""

    probe_path: str = Field(
        "/healthz",
        pattern=r"^(/[!-~]*)?$",
        description="Asked of each upstream by and by; any answer below 500 shows that it lives. Empty: not at all.",
    )
    probe_s: Seconds = Field(2, description="Between probes of one upstream, give or take a fifth.")
    probe_timeout_s: Seconds = Field(2, description="To answer a probe. Why: half of a target duration.")
    failures: Count = Field(
        3, description="Failures in a row that open the breaker of an upstream; one is enough when nobody is there."
    )
    open_s: Seconds = Field(
        2, description="How long an open breaker lets nothing through, doubled each time it opens again, at most 30 s."
    )
    slow_start_s: Seconds = Field(
        30, description="From an upstream's return until it gets its whole share of new streams."
    )
    load_factor: Annotated[float, Field(ge=1, le=100, json_schema_extra={"unit": "x"})] = Field(
        1.25, description="Most streams of one upstream, relative to its fair share; more go to the next one."
    )


def check_upstreams(upstreams: tuple[EdgeUpstream, ...], node: str) -> None:
    """Names are unique, not everybody is a sibling. Raises the error of a setting of [edge]."""
    labels = [upstream.label for upstream in upstreams]
    for index, upstream in enumerate(upstreams):
        if upstream.label in labels[:index]:
            raise wrong(f"upstreams.{index}.name", f"another upstream is called {upstream.label}")
        if upstream.sibling and upstream.label == node:
            raise wrong(f"upstreams.{index}.name", "`edge.node`: that is this node itself")
    if upstreams and all(upstream.sibling for upstream in upstreams):
        raise wrong("upstreams", "only siblings: nobody among them would have the streams")
