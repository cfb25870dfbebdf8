"""What a stream without low latency lacks for it, and what could not be checked, as notes. Sans-IO."""

from __future__ import annotations

from .values import Recording


def notes(recording: Recording) -> list[str]:
    """Sentences for the end of the report."""
    found: list[str] = []
    for record in recording.renditions:
        last = record.last
        if last is None:
            found.append(f"{record.name}: no playlist could be read, nothing else of it was checked")
        elif last.ended:
            found.append(f"{record.name}: the stream has ended, what moves was not checked")
        elif last.part_target is None:
            missing = ["parts (EXT-X-PART-INF, EXT-X-PART)", "EXT-X-PRELOAD-HINT", "PART-HOLD-BACK"]
            if not last.control.can_block_reload:
                missing.append("CAN-BLOCK-RELOAD=YES")
            if last.control.can_skip_until is None:
                missing.append("CAN-SKIP-UNTIL")
            found.append(f"{record.name}: for low latency it lacks {', '.join(missing)}")
        if any(t.encrypted for f in record.files.values() if f.init for t in f.init.tracks) or _has_keys(recording):
            found.append(f"{record.name}: encrypted media is not decrypted: its bitstream was not checked")
    return found


def _has_keys(recording: Recording) -> bool:
    return any(s.keys for r in recording.renditions for p in r.playlists[-1:] for s in p.segments[-1:])
