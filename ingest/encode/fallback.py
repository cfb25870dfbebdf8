"""What takes the place of an encoder that failed. Sans-IO."""

from __future__ import annotations

from dataclasses import replace

from headwater.config.settings_encode import SOFTWARE
from headwater.ingest.media import Rendition

from .model import Plan
from .plan import DEFAULT_PRESET


def without_hardware(plan: Plan, rendition: Rendition) -> Plan | None:
    """`plan` with the software encoder for a rung that had one in hardware; None: it had none."""
    video = list(plan.video)
    for index, rung in enumerate(video):
        encoder = SOFTWARE.get(rung.codec)
        if rung.rendition == rendition and encoder is not None and rung.encoder != encoder:
            video[index] = replace(rung, encoder=encoder, preset=DEFAULT_PRESET[encoder])
            return replace(plan, video=tuple(video))
    return None
