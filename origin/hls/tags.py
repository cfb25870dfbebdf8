"""Tags and attributes of a media playlist that the reader treats alike. Sans-IO.

Source: draft-pantos-hls-rfc8216bis-22, section 4.4.
"""

from __future__ import annotations

ONCE = frozenset({
    "#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-PLAYLIST-TYPE", "#EXT-X-PART-INF", "#EXT-X-SERVER-CONTROL", "#EXT-X-I-FRAMES-ONLY", "#EXT-X-START",
    "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-SKIP", "#EXT-X-ENDLIST",
})  # fmt: skip
"""Rule 3: at most one of each (4.4.1.2, 4.4.2, 4.4.3, 4.4.5)."""

MULTIVARIANT = frozenset({
    "#EXT-X-STREAM-INF", "#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-SESSION-DATA", "#EXT-X-SESSION-KEY",
    "#EXT-X-CONTENT-STEERING",
})  # fmt: skip
"""Rule 4: never in a media playlist (4.4.6)."""

ANYWHERE = frozenset({"#EXT-X-DATERANGE", "#EXT-X-DEFINE", "#EXT-X-START", "#EXT-X-I-FRAMES-ONLY"})
"""Tags of the whole playlist wherever they stand."""

# Attributes that the model has; others are kept as text.
SERVER_CONTROL = frozenset({
    "CAN-BLOCK-RELOAD", "CAN-SKIP-UNTIL", "CAN-SKIP-DATERANGES", "HOLD-BACK", "PART-HOLD-BACK",
})  # fmt: skip
HINT = frozenset({"TYPE", "URI", "BYTERANGE-START", "BYTERANGE-LENGTH"})
REPORT = frozenset({"URI", "LAST-MSN", "LAST-PART"})
PART = frozenset({"URI", "DURATION", "INDEPENDENT", "GAP", "BYTERANGE"})
MAP = frozenset({"URI", "BYTERANGE"})
