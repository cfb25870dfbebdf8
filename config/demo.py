"""The demo stream of `headwater up --demo`: a publisher process that pushes through the real RTMP listener."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import SecretStr

from .settings import Publish, Settings

if TYPE_CHECKING:
    from headwater.loadtest.publish import PublishOptions


def with_demo_key(settings: Settings) -> Settings:
    """Settings under which the demo may publish: where keys are configured and none opens the demo's name, one of
    this process's own is added."""
    ingest = settings.ingest
    if not ingest.publish or demo_key(settings) is not None:
        return settings
    own = Publish(name=settings.demo.name, key=SecretStr(secrets.token_urlsafe(24)))
    return settings.model_copy(
        update={"ingest": ingest.model_copy(update={"publish": (*ingest.publish, own)})},
    )


def demo_key(settings: Settings) -> str | None:
    """A configured key that opens the demo's name."""
    for entry in settings.ingest.publish:
        if entry.name in (settings.demo.name, "*"):
            return entry.key.get_secret_value()
    return None


def demo_url(settings: Settings, port: int) -> str:
    """Where the demo is pushed: the RTMP listener of this machine, key included."""
    key = demo_key(settings)
    query = f"?key={quote(key, safe='')}" if key else ""
    ingest = settings.ingest
    return f"rtmp://{local_host(ingest.rtmp.host)}:{port}/{ingest.applications[0]}/{settings.demo.name}{query}"


def local_host(bound: str | None) -> str:
    """The address, written for a URL, at which a listener bound to `bound` is reached from this machine."""
    if bound in (None, "", "0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{bound}]" if ":" in str(bound) else str(bound)


def document(settings: Settings, port: int) -> str:
    """The hand-over of the publisher process, one line."""
    demo = settings.demo
    return json.dumps(
        {
            "url": demo_url(settings, port),
            "width": demo.width,
            "height": demo.height,
            "fps": demo.fps,
            "bitrate": demo.bitrate,
        }
    )


def options_from(handed: Mapping[str, Any]) -> PublishOptions:
    """The publisher's options out of `document`."""
    from headwater.loadtest.publish import PublishOptions

    return PublishOptions(
        url=str(handed["url"]),
        width=int(handed["width"]),
        height=int(handed["height"]),
        fps=Fraction(handed["fps"]),
        bitrate=int(handed["bitrate"]),
        reconnect=True,
        quiet=True,
    )
