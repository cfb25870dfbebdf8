"""FLV tag bodies, classic and enhanced, as carried by RTMP audio and video messages. Sans-IO.

Classic: Adobe FLV 10.1 annex E.4.2 and E.4.3, with codec id 12 (HEVC) as widely deployed.
Enhanced: see `enhanced`. The messages without track number and track 0 of multitrack are the same track.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.ingest.codecs import BadConfig, audio_track, normalise, refine, video_track
from headwater.ingest.codecs.ac3 import fingerprint
from headwater.ingest.media import Codec, Kind, Packet, Track, TrackId
from headwater.ingest.tracks import TrackConfigured, TrackEvent, TrackFinished, TrackRefused

from .enhanced import BadTag, Piece, PieceKind, parse_audio, parse_video, signed24

_EX_HEADER = 0x80
_VIDEO_COMMAND = 5
_KEY_FRAMES = (1, 4)
_AAC = 10
_EX_AUDIO = 9
_SEQUENCE_HEADER, _CODED, _SEQUENCE_END = 0, 1, 2

_VIDEO_IDS = {7: b"avc1", 12: b"hvc1"}
_REFUSED_VIDEO_IDS = {2: b"h263", 3: b"screen", 4: b"vp6", 5: b"vp6a", 6: b"screen2"}
_REFUSED_AUDIO_IDS = {
    0: b"pcm",
    1: b"adpcm",
    2: b"mp3",
    3: b"pcm",
    4: b"nellymoser",
    5: b"nellymoser",
    6: b"nellymoser",
    7: b"g711a",
    8: b"g711u",
    11: b"speex",
    14: b"mp3",
    15: b"device-specific",
}
_VIDEO_FOURCCS = {b"avc1": Codec.H264, b"hvc1": Codec.HEVC, b"av01": Codec.AV1, b"vp09": Codec.VP9}
_AUDIO_FOURCCS = {
    b"mp4a": Codec.AAC,
    b"Opus": Codec.OPUS,
    b"ac-3": Codec.AC3,
    b"ec-3": Codec.EAC3,
    b"fLaC": Codec.FLAC,
}
_SELF_DESCRIBED = (Codec.AC3, Codec.EAC3)
"""Codecs without a sequence header: the first frame says it all."""

MAX_REFUSALS = 64
"""TrackRefused events per publisher; what is refused beyond is only counted."""
_TRACK_NUMBERS = frozenset(str(number) for number in range(256))
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_MAX_NAME = 64


@dataclass(slots=True)
class TagCounters:
    """What was left out, for the shell's metrics; only ever grows."""

    before_config: int = 0
    """Frames of a track that has no usable configuration (yet)."""
    empty: int = 0
    """Frames and configurations without a byte of media."""
    ignored: int = 0
    """Messages with nothing for us: commands, metadata, unknown packet types."""
    refused: int = 0
    """Frames and configurations of refused codecs and of tracks beyond the bound."""


@dataclass(frozen=True, slots=True)
class _Hint:
    """What the metadata says about a track."""

    language: str = "und"
    name: str = ""


@dataclass(slots=True)
class _Slot:
    """What is known of one track number."""

    id: TrackId
    kind: Kind
    hint: _Hint
    codec: Codec | None = None
    source: bytes = b""
    """The configuration (or fingerprint of the first frame) as it was sent, to recognise repetitions."""
    track: Track | None = None
    waiting: Track | None = None
    """Configured, but its picture size is only known from a key frame."""
    finished: bool = False
    inferred: bool = False
    """`source` is a fingerprint: the configuration was made from a frame."""


@dataclass(slots=True)
class _Side:
    """The tracks of one kind."""

    kind: Kind
    slots: dict[int, _Slot] = field(default_factory=dict)
    hints: dict[int, _Hint] = field(default_factory=dict)

    def id(self, number: int) -> TrackId:
        return TrackId(f"{self.kind[0]}{number}")


class TagReader:
    """Turns the audio and video messages of one publisher into tracks and packets.

    Every method returns its events at once. `Packet.payload` is normalised (`codecs.normalise`),
    `Packet.dts` is the message's timestamp as given, `Packet.keyframe` the tag's own flag.

    Args:
        tracks_per_kind: the most video, and the most audio, tracks that are kept; further ones are refused.
    """

    def __init__(self, tracks_per_kind: int = 8) -> None:
        self.counters = TagCounters()
        self._tracks_per_kind = tracks_per_kind
        self._video = _Side(Kind.VIDEO)
        self._audio = _Side(Kind.AUDIO)
        self._refusals: set[TrackRefused] = set()

    def video(self, payload: bytes, timestamp: int, now: float) -> list[TrackEvent]:
        """Take one video message (type 9). `timestamp`: 32-bit ms; `now`: monotonic s of its last byte.

        Raises:
            BadTag: it is malformed; nothing of it was taken.
        """
        enhanced = payload and payload[0] & _EX_HEADER
        pieces = parse_video(payload) if enhanced else [_classic_video(payload)]
        return self._pieces(self._video, _VIDEO_FOURCCS, pieces, timestamp, now)

    def audio(self, payload: bytes, timestamp: int, now: float) -> list[TrackEvent]:
        """Take one audio message (type 8). Arguments and errors as `video`."""
        enhanced = payload and payload[0] >> 4 == _EX_AUDIO
        pieces = parse_audio(payload) if enhanced else [_classic_audio(payload)]
        return self._pieces(self._audio, _AUDIO_FOURCCS, pieces, timestamp, now)

    def metadata(self, values: Mapping[str, object]) -> None:
        """Take `onMetaData`: language and name of tracks that are configured later. Never raises.

        Read from `videoTrackIdInfoMap` and `audioTrackIdInfoMap` (E-RTMP v2 "Enhancing onMetaData"), whose keys
        are track numbers. Nothing else in the metadata is believed: sequence headers say the rest.
        """
        for side, key in ((self._video, "videoTrackIdInfoMap"), (self._audio, "audioTrackIdInfoMap")):
            tracks = values.get(key)
            if not isinstance(tracks, Mapping):
                continue
            for number, properties in tracks.items():
                if str(number) in _TRACK_NUMBERS and isinstance(properties, Mapping):
                    side.hints[int(str(number))] = _hint(properties)

    def _pieces(
        self, side: _Side, codecs: Mapping[bytes, Codec], pieces: list[Piece], timestamp: int, now: float
    ) -> list[TrackEvent]:
        events: list[TrackEvent] = []
        for piece in pieces:
            if piece.kind is PieceKind.IGNORED:
                self.counters.ignored += 1
                continue
            codec = codecs.get(piece.fourcc)
            if codec is None:
                self.counters.refused += 1
                self._refuse(events, side.id(piece.track), _printable(piece.fourcc), "this codec cannot be delivered")
                continue
            slot = side.slots.get(piece.track)
            if slot is None:
                slot = self._open(side, piece, codec, events)
                if slot is None:
                    continue
            if piece.kind is PieceKind.FRAME:
                self._frame(slot, codec, piece, timestamp, now, events)
            elif piece.kind is PieceKind.CONFIG:
                self._configure(slot, codec, piece.body, events)
            else:
                self._finish(slot, events)
        return events

    def _open(self, side: _Side, piece: Piece, codec: Codec, events: list[TrackEvent]) -> _Slot | None:
        """A slot for a track that was not seen before, when this piece can start one."""
        if piece.kind is PieceKind.END:
            self.counters.ignored += 1
            return None
        if piece.kind is PieceKind.FRAME and codec not in _SELF_DESCRIBED:
            self.counters.before_config += 1
            return None
        if len(side.slots) >= self._tracks_per_kind:
            self.counters.refused += 1
            reason = f"there are already {self._tracks_per_kind} {side.kind} tracks"
            self._refuse(events, side.id(piece.track), codec, reason)
            return None
        hint = side.hints.get(piece.track, _Hint())
        slot = side.slots[piece.track] = _Slot(side.id(piece.track), side.kind, hint)
        return slot

    def _configure(self, slot: _Slot, codec: Codec, config: bytes, events: list[TrackEvent]) -> None:
        if not config:
            # FFmpeg sends an empty AAC configuration when it only learns the true one from the first frame.
            self.counters.empty += 1
            return
        if codec is slot.codec and config == slot.source:
            self._revive(slot, events)
            return
        make = video_track if slot.kind is Kind.VIDEO else audio_track
        try:
            track = make(slot.id, codec, config, language=slot.hint.language, name=slot.hint.name)
        except BadConfig as error:
            # What was configured before stays: a broken repetition must not end a working track.
            self._refuse(events, slot.id, codec, str(error))
            return
        slot.codec, slot.source, slot.inferred = codec, config, False
        if track.kind is Kind.VIDEO and not track.width:
            slot.waiting = track
            return
        slot.waiting = None
        self._publish(slot, track, events)

    def _publish(self, slot: _Slot, track: Track, events: list[TrackEvent]) -> None:
        if track == slot.track:
            self._revive(slot, events)
            return
        slot.track = track
        slot.finished = False
        events.append(TrackConfigured(track))

    def _revive(self, slot: _Slot, events: list[TrackEvent]) -> None:
        """Go on after a sequence end with the configuration of before."""
        if slot.finished and slot.track is not None:
            slot.finished = False
            events.append(TrackConfigured(slot.track))

    def _frame(
        self, slot: _Slot, codec: Codec, piece: Piece, timestamp: int, now: float, events: list[TrackEvent]
    ) -> None:
        if codec in _SELF_DESCRIBED:
            self._infer(slot, codec, piece.body, events)
        if slot.waiting is not None:
            self._refine(slot, slot.waiting, piece.body, events)
        track = slot.track
        if track is None or slot.codec is not codec or slot.waiting is not None:
            self.counters.before_config += 1
            return
        payload = normalise(track, piece.body)
        if not payload:
            self.counters.empty += 1
            return
        if slot.finished:
            self._revive(slot, events)
        events.append(Packet(slot.id, timestamp, piece.cts_us, piece.keyframe, payload, now))

    def _infer(self, slot: _Slot, codec: Codec, frame: bytes, events: list[TrackEvent]) -> None:
        """Make the configuration of a codec without sequence header from its frame's header."""
        if slot.codec is codec and not slot.inferred:
            return  # the publisher sent a configuration all the same
        mark = fingerprint(frame)
        if not mark or (slot.codec is codec and slot.source == mark):
            return
        try:
            track = audio_track(slot.id, codec, frame, language=slot.hint.language, name=slot.hint.name)
        except BadConfig as error:
            self._refuse(events, slot.id, codec, str(error))
            return
        slot.codec, slot.source, slot.inferred = codec, mark, True
        self._publish(slot, track, events)

    def _refine(self, slot: _Slot, waiting: Track, frame: bytes, events: list[TrackEvent]) -> None:
        track = refine(waiting, frame)
        if track.width:
            slot.waiting = None
            self._publish(slot, track, events)

    def _finish(self, slot: _Slot, events: list[TrackEvent]) -> None:
        if slot.track is not None and not slot.finished:
            slot.finished = True
            events.append(TrackFinished(slot.id))

    def _refuse(self, events: list[TrackEvent], track: TrackId, codec: str, reason: str) -> None:
        refusal = TrackRefused(track, codec, reason)
        if refusal not in self._refusals and len(self._refusals) < MAX_REFUSALS:
            self._refusals.add(refusal)
            events.append(refusal)


_IGNORED = Piece(PieceKind.IGNORED, b"", 0, b"", 0, False)
_KINDS = {_SEQUENCE_HEADER: PieceKind.CONFIG, _CODED: PieceKind.FRAME, _SEQUENCE_END: PieceKind.END}


def _classic_video(payload: bytes) -> Piece:
    """VIDEODATA (E.4.3.1) as a piece of track 0. Raises BadTag."""
    # E.4.3.1: frame type 5 is a command for the player, whatever the codec id says.
    if not payload or payload[0] >> 4 == _VIDEO_COMMAND:
        return _IGNORED
    fourcc = _VIDEO_IDS.get(payload[0] & 15, b"")
    if not fourcc:
        name = _REFUSED_VIDEO_IDS.get(payload[0] & 15, b"unknown")
        return Piece(PieceKind.FRAME, name, 0, b"", 0, False)
    if len(payload) < 2:
        raise BadTag("video message is truncated")
    # AVCVIDEOPACKET (E.4.3.2): packet type, then SI24 composition time, which is only meant for frames.
    kind = _KINDS.get(payload[1])
    if kind is None:
        return _IGNORED
    if len(payload) < 5 and kind is not PieceKind.END:
        raise BadTag("video message is truncated")
    cts_us = signed24(payload[2:5]) * 1_000 if kind is PieceKind.FRAME else 0
    return Piece(kind, fourcc, 0, payload[5:], cts_us, payload[0] >> 4 in _KEY_FRAMES)


def _classic_audio(payload: bytes) -> Piece:
    """AUDIODATA (E.4.2.1) as a piece of track 0. Raises BadTag."""
    if not payload:
        return _IGNORED
    sound = payload[0] >> 4
    if sound != _AAC:
        return Piece(PieceKind.FRAME, _REFUSED_AUDIO_IDS.get(sound, b"unknown"), 0, b"", 0, False)
    if len(payload) < 2:
        raise BadTag("audio message is truncated")
    # AACAUDIODATA (E.4.2.2): 0 = AudioSpecificConfig, 1 = raw frame.
    if payload[1] > _CODED:
        return _IGNORED
    return Piece(_KINDS[payload[1]], b"mp4a", 0, payload[2:], 0, True)


def _printable(name: bytes) -> str:
    text = name.decode("ascii", "replace").strip()
    return text if text.isascii() and text.isprintable() and text else name.hex()


def _hint(properties: Mapping[object, object]) -> _Hint:
    language = properties.get("language")
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        language = "und"
    name = properties.get("name", properties.get("title"))
    if not isinstance(name, str) or not name.isprintable():
        name = ""
    return _Hint(language, name[:_MAX_NAME])
