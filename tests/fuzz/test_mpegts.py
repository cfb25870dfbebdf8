"""Transport streams, random and damaged: events that hold what they promise, bounded memory, never an error."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.codec_vectors import AC3_FRAME, AV1_KEY_FRAME, EAC3_FRAME, OPUS_20MS
from tests.ts_kit import (
    AUD,
    CUE_PID,
    IDR,
    PMT_PID,
    SLICE,
    SLICE_REST,
    START,
    VIDEO_PID,
    X264_PPS,
    X264_SPS,
    StreamSpec,
    TsWriter,
    adts,
    language,
    pat,
    pes,
    pmt,
)

from headwater.ingest.codecs import audio_samples, is_random_access, normalise
from headwater.ingest.media import Packet, Track, TrackId
from headwater.ingest.mpegts import CueReceived, Demuxer, Limits
from headwater.ingest.mpegts.limits import MAX_REFUSALS
from headwater.ingest.mpegts.sections import crc32
from headwater.ingest.tracks import TrackConfigured, TrackFinished, TrackRefused, TracksAnnounced
from headwater.origin.cmaf import supported

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.ts"))
LIMITS = Limits(programs=4, streams=8, tracks_per_kind=3, pes_bytes=20_000)


class Follower:
    """Checks the promises of `demux` on every event."""

    def __init__(self) -> None:
        self.demuxer = Demuxer(LIMITS)
        self.tracks: dict[TrackId, Track] = {}
        self.refused: set[TrackRefused] = set()
        self.packets = 0

    def feed(self, data: bytes, datagrams: int | None = 0) -> None:
        """Take bytes; `datagrams`: how many are missing before them."""
        if datagrams != 0:
            self.demuxer.packets_lost(1.0, datagrams)
        self.demuxer.receive_data(data, 1.0)
        self.drain()

    def drain(self) -> None:
        for event in self.demuxer.events_received():
            self.take(event)
        assert held(self.demuxer) < 30 * LIMITS.pes_bytes

    def take(self, event: object) -> None:
        match event:
            case TrackConfigured(track):
                assert self.tracks.get(track.id) != track
                self.tracks[track.id] = track
                assert int(track.id[1:]) < LIMITS.tracks_per_kind
                supported(track)
            case TracksAnnounced(tracks):
                assert all(int(track_id[1:]) < LIMITS.tracks_per_kind for track_id in tracks)
            case TrackRefused():
                assert event not in self.refused
                assert event.reason.isprintable()
                self.refused.add(event)
            case TrackFinished(track_id):
                del self.tracks[track_id]
            case CueReceived(pts, section):
                assert 0 <= pts < 1 << 33
                assert crc32(section) == 0
            case Packet():
                track = self.tracks[event.track]
                self.packets += 1
                assert event.payload
                assert 0 <= event.dts < 1 << 33
                assert normalise(track, event.payload) == event.payload
                assert is_random_access(track, event.payload) in (True, False)
                assert audio_samples(track, event.payload) >= 0
            case _:
                raise AssertionError(event)


def held(demuxer: Demuxer) -> int:
    """Bytes that wait for more."""
    total = len(demuxer._framer._tail)
    for channel in demuxer._channels.values():
        total += sum(map(len, channel.pieces))
        reader = getattr(channel, "reader", None)
        for name in ("_pending", "_carry", "_partial", "_hidden"):
            total += len(getattr(reader, name, None) or b"")
    return total


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_any_bytes(pieces: list[bytes]) -> None:
    follower = Follower()
    for piece in pieces:
        follower.feed(piece)


ANNEX_B = [
    AUD,
    X264_SPS,
    X264_PPS,
    IDR,
    SLICE,
    SLICE_REST,
    b"\x46\x01\x50",
    b"\x26\x01\xaf\x08",
    b"\x0c\xff",
    b"\x67",
    b"",
]
PAYLOADS = [
    *(START + unit for unit in ANNEX_B),
    START + START.join((AUD, X264_SPS, X264_PPS, IDR)),
    adts(b"\x21\x10\x04"),
    adts(b"\x21" * 300, channels=0),
    AC3_FRAME,
    EAC3_FRAME,
    AV1_KEY_FRAME,
    b"\x7f\xe0" + bytes((len(OPUS_20MS),)) + OPUS_20MS,
    b"\x56\xe0\x0a\x20\x00\x11\x90\x00\x00\x00\x00\x00\x00",
    b"\xff\xfd\xa4\x00" + bytes(572),
]
TYPES = [0x1B, 0x24, 0x0F, 0x11, 0x03, 0x81, 0x87, 0x06, 0x86, 0x02, 0x33]
DESCRIPTORS = [
    language(b"eng"),
    language(b"ger", 3),
    (5, b"Opus"),
    (0x7F, b"\x80\x02"),
    (5, b"AV01"),
    (0x6A, b""),
    (5, b""),
]
PIDS = [VIDEO_PID, VIDEO_PID + 1, VIDEO_PID + 2, CUE_PID]


@st.composite
def packets(draw: st.DrawFn, writer: TsWriter) -> bytes:
    """Packets of a table or of a PES packet, all well-formed as packets."""
    choice = draw(st.integers(0, 9))
    version = draw(st.integers(0, 3))
    if choice == 0:
        program = draw(
            st.lists(st.tuples(st.integers(0, 3), st.sampled_from([PMT_PID, 0, VIDEO_PID, 0x1FFF])), max_size=3)
        )
        return writer.section(0, pat(program or [(1, PMT_PID)], version))
    if choice == 1:
        loop = st.lists(st.sampled_from(DESCRIPTORS), max_size=3)
        spec = st.tuples(st.sampled_from(TYPES), st.sampled_from([*PIDS, PMT_PID, 0]), loop)
        streams: list[StreamSpec] = list(draw(st.lists(spec, max_size=5)))
        return writer.section(PMT_PID, pmt(streams, version=version, pcr_pid=draw(st.sampled_from([*PIDS, 0x1FFF]))))
    pid = draw(st.sampled_from(PIDS))
    if choice == 2:
        return writer.packet(
            pid, draw(st.binary(max_size=170)), start=draw(st.booleans()), pcr=draw(st.integers(0, 99))
        )
    payload = b"".join(draw(st.lists(st.sampled_from(PAYLOADS) | st.binary(max_size=30), max_size=4)))
    times = draw(st.sampled_from([(None, None), (5, None), (9_000, 5), ((1 << 33) - 1, None)]))
    stream_id = draw(st.sampled_from([0xE0, 0xC0, 0xBD, 0xBE]))
    length = draw(st.sampled_from([None, 0, 10, 400, 0xFFFF]))
    flags = draw(st.sampled_from([0x80, 0x80, 0x90, 0x00]))
    return writer.pes(pid, pes(payload, *times, stream_id=stream_id, length=length, flags=flags))


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[bytes, int | None]]:
    """Datagrams, and how many are missing before each."""
    writer = TsWriter()
    out: list[tuple[bytes, int | None]] = [(writer.tables((0x1B, VIDEO_PID, []), (0x0F, VIDEO_PID + 1, [])), 0)]
    for _ in range(draw(st.integers(1, 15))):
        data = draw(packets(writer))
        damage = draw(st.integers(0, 12))
        if damage == 0:
            data = data[188:]
        elif damage == 1:
            data = data[:188] + data
        elif damage == 2:
            at = draw(st.integers(0, max(0, len(data) - 1)))
            data = data[:at] + draw(st.binary(max_size=3)) + data[at + 1 :]
        elif damage == 3 and data:
            head = bytearray(data)
            head[draw(st.sampled_from([1, 3, 4, 5])) % len(head)] ^= 1 << draw(st.integers(0, 7))
            data = bytes(head)
        out.append((data, draw(st.sampled_from([0, 0, 0, 0, 1, 5, None]))))
    return out


@given(streams())
def test_any_sequence_of_packets(datagrams: list[tuple[bytes, int | None]]) -> None:
    follower = Follower()
    for data, missing in datagrams:
        follower.feed(data, missing)
    follower.demuxer.receive_eof(2.0)
    follower.drain()
    assert len(follower.refused) <= MAX_REFUSALS


def flip(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def drop(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data)) // 188 * 188
    del data[at : at + 188 * dice.randrange(1, 4)]


def cut(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    del data[at : at + dice.randrange(1, 300)]


def insert(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data))
    data[at:at] = dice.randbytes(dice.randrange(1, 300))


def double(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data)) // 188 * 188
    data[at:at] = data[at : at + 188]


def move(data: bytearray, dice: random.Random) -> None:
    at, to = (dice.randrange(len(data)) // 188 * 188 for _ in range(2))
    packet = data[at : at + 188]
    del data[at : at + 188]
    data[to:to] = packet


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [flip, flip, drop, cut, insert, double, move]


def damage(data: bytearray, times: int, dice: random.Random) -> None:
    for _ in range(times):
        if len(data) > 1_000:
            dice.choice(MUTATIONS)(data, dice)


@given(st.sampled_from(CAPTURES), st.integers(0, 2**32))
def test_damaged_captures(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(path.read_bytes())
    damage(data, dice.choice((1, 3, 10, 60)), dice)
    follower = Follower()
    size = dice.choice((188, 1_316, 5_000, len(data)))
    for at in range(0, len(data), size):
        follower.feed(bytes(data[at : at + size]), dice.choice((0,) * 30 + (1, None)))
    follower.demuxer.receive_eof(2.0)
    follower.drain()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_it_recovers_from_whatever_was_before(path: Path) -> None:
    """A second behind any damage all is as if nothing had been."""
    dice = random.Random(path.stem)
    whole = Follower()
    whole.feed(path.read_bytes())
    damaged = Follower()
    damaged.feed(dice.randbytes(5_000))
    for _ in range(3):
        data = bytearray(path.read_bytes())
        damage(data, 20, dice)
        damaged.feed(bytes(data), None)
    before = damaged.packets
    for _ in range(2):
        damaged.feed(path.read_bytes(), None)
    # All but what the borders of the copies cost: one unit of each track at either end.
    assert damaged.packets - before >= 2 * whole.packets - 4 * len(whole.tracks) - 2
    assert damaged.tracks.keys() == whole.tracks.keys()
