"""The bounds: one set of defaults in two places."""

from __future__ import annotations

from dataclasses import asdict

from headwater.config.settings import RtmpLimits as Settings
from headwater.ingest.rtmp.limits import Limits, RtmpLimits


def test_settings_are_limits() -> None:
    settings: RtmpLimits = Settings()
    for name, value in asdict(Limits()).items():
        assert getattr(settings, name) == value, name
