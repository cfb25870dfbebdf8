"""[edge.http.tls]: viewers over TLS, by HTTP/2 and HTTP/1.1. Sans-IO."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from .section import Section
from .units import Count, Port


class Certificate(Section):
    """[[edge.http.tls.certificates]]: one of the names that viewers may ask for."""

    certificate: Path = Field(description="PEM chain, the server's own certificate first.")
    private_key: Path | None = Field(None, description="PEM key; unset: it is in `certificate`.")


class Tls(Section):
    """[edge.http.tls]: a listener of its own beside plain HTTP, which can stay."""

    port: Port = Field(8443, description="Viewers' HTTPS; used when there are `certificates`.")
    certificates: tuple[Certificate, ...] = Field(
        (),
        max_length=64,
        description="Which one a viewer gets is told by the name it asks for (SNI); the first one is for all others. "
        "The files are read again when they change.",
    )
    least_version: Literal["1.2", "1.3"] = Field(
        "1.2", description="Oldest version that is spoken. Why: some televisions know nothing newer."
    )
    tickets: bool = Field(
        True, description="Session tickets. Why: a viewer that comes back is spared a whole handshake, and so are we."
    )
    http2: bool = Field(True, description="Offer HTTP/2. Why: Apple's players want it for low latency.")
    streams: Count = Field(
        100, description="Requests at once on one HTTP/2 connection. Why: a player has fewer than ten, a proxy more."
    )

    @property
    def enabled(self) -> bool:
        """Whether there is such a listener."""
        return bool(self.certificates)
