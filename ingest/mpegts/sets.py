"""Parameter sets of one H.264 or HEVC stream, by their ids: what is in force, and what changed. Sans-IO."""

from __future__ import annotations

import enum
from collections.abc import Callable

from headwater.ingest.codecs import BadConfig, build, h264, hevc
from headwater.ingest.codecs.nal import SequenceParameters
from headwater.ingest.media import Codec

_MAX_SET = 4_096
"""Bytes of one parameter set. Why: with all scaling lists an SPS has about 2,000."""
_VPS, _SPS, _PPS = 32, 33, 34
"""NAL unit types of HEVC, here the names of the kinds for H.264 too."""
_H264_KINDS = {7: _SPS, 8: _PPS}
_IDS = {Codec.H264: {_SPS: 32, _PPS: 256}, Codec.HEVC: {_VPS: 16, _SPS: 16, _PPS: 64}}
"""Ids of each kind (H.264 7.4.2.1, 7.4.2.2; H.265 7.4.3.1 to 7.4.3.3)."""


class Change(enum.Enum):
    """What the sets of an access unit changed."""

    NONE = "none"
    PICTURE = "picture"
    """Only picture parameter sets."""
    SEQUENCE = "sequence"


class ParameterSets:
    """The sets in force. Bounded by their ids and sizes: 1 MiB for H.264 at the very most."""

    __slots__ = ("_codec", "_held", "_known", "_readers", "sequence")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._held: dict[tuple[int, int], bytes] = {}
        """(kind, id) -> NAL unit."""
        self._known: set[bytes] = set()
        """The same units, to pass over repetitions without reading them."""
        self._readers: dict[int, Callable[[bytes], int]]
        if codec is Codec.H264:
            self._readers = {_SPS: _h264_sps_id, _PPS: h264.pps_id}
        else:
            self._readers = {_VPS: hevc.vps_id, _SPS: _hevc_sps_id, _PPS: hevc.pps_id}
        self.sequence: SequenceParameters | None = None
        """The first SPS, read; H.264 only."""

    def kind(self, unit: bytes) -> int | None:
        """The kind of parameter set; None when it is another NAL unit."""
        if self._codec is Codec.H264:
            return _H264_KINDS.get(unit[0] & 31)
        kind = unit[0] >> 1 & 63
        return kind if kind in self._readers else None

    def take(self, units: list[bytes]) -> Change:
        """Take the sets among the NAL units of an access unit. What cannot be read is passed over."""
        found: dict[tuple[int, int], bytes] = {}
        fresh = False
        for unit in units:
            kind = self.kind(unit)
            if kind is None:
                continue
            key = self._key(kind, unit)
            if key is not None:
                found[key] = unit
                fresh = fresh or unit not in self._known
        return self._adopt(found) if fresh else Change.NONE

    def _key(self, kind: int, unit: bytes) -> tuple[int, int] | None:
        if unit in self._known:
            return next(key for key, held in self._held.items() if held == unit)
        if len(unit) > _MAX_SET:
            return None
        try:
            number = self._readers[kind](unit)
        except BadConfig:
            return None
        return (kind, number) if number < _IDS[self._codec][kind] else None

    def _adopt(self, found: dict[tuple[int, int], bytes]) -> Change:
        sequence = any(key[0] != _PPS and self._held.get(key) != unit for key, unit in found.items())
        if sequence and {kind for kind, _ in found} == set(self._readers):
            # Another sequence, with all that it needs: sets of the one before are of no use, and mislead.
            self._held = found
        else:
            self._held.update(found)
        self._known = set(self._held.values())
        if sequence and self._codec is Codec.H264:
            self.sequence = next(h264.read_sps(unit) for key, unit in self._held.items() if key[0] == _SPS)
        return Change.SEQUENCE if sequence else Change.PICTURE

    @property
    def complete(self) -> bool:
        """Whether there is one of each kind."""
        return {kind for kind, _ in self._held} == set(self._readers)

    def config(self) -> bytes:
        """The body of avcC or hvcC. Raises BadConfig."""
        vps, sps, pps = ([unit for key, unit in self._held.items() if key[0] == kind] for kind in (_VPS, _SPS, _PPS))
        return build.avcc(sps, pps) if self._codec is Codec.H264 else build.hvcc(vps, sps, pps)


def _h264_sps_id(unit: bytes) -> int:
    return h264.read_sps(unit).set_id


def _hevc_sps_id(unit: bytes) -> int:
    return hevc.read_sps(unit).set_id
