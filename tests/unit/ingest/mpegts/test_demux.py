from __future__ import annotations

import random

import pytest
from tests.ts_kit import (
    AUD,
    AUDIO_PID,
    CUE_PID,
    IDR,
    PMT_PID,
    SLICE,
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

from headwater.ingest.codecs.annexb import length_prefixed
from headwater.ingest.media import Packet, TrackId
from headwater.ingest.mpegts import CueReceived, Demuxer, Limits, TsEvent
from headwater.ingest.mpegts.sections import crc32
from headwater.ingest.tracks import TrackConfigured, TrackFinished, TrackRefused, TracksAnnounced

H264, ADTS, CUE = 0x1B, 0x0F, 0x86
STREAMS: list[StreamSpec] = [(H264, VIDEO_PID, []), (ADTS, AUDIO_PID, [language(b"eng")])]
KEY = (AUD, X264_SPS, X264_PPS, IDR)


def events(demuxer: Demuxer, data: bytes, now: float = 1.0) -> list[TsEvent]:
    demuxer.receive_data(data, now)
    return demuxer.events_received()


def short(found: list[TsEvent]) -> list[tuple[str, int]]:
    """(track, time) of packets, (kind, 0) of everything else."""
    return [(e.track, e.dts) if isinstance(e, Packet) else (type(e).__name__, 0) for e in found]


def started() -> tuple[Demuxer, TsWriter]:
    demuxer, writer = Demuxer(), TsWriter()
    data = writer.tables(*STREAMS) + writer.video(*KEY, pts=0)
    data += writer.pes(AUDIO_PID, pes(adts(b"\x21\x10\x04"), 0, stream_id=0xC0))
    assert short(events(demuxer, data)) == [
        ("TracksAnnounced", 0),
        ("TrackConfigured", 0),
        ("v0", 0),
        ("TrackConfigured", 0),
        ("a0", 0),
    ]
    return demuxer, writer


def test_tracks_and_packets() -> None:
    demuxer, writer = started()
    unit = SLICE + b"\x55" * 1_900
    found = events(demuxer, writer.video(AUD, unit, pts=7_200, dts=3_600), 2.5)
    assert found == [Packet(TrackId("v0"), 3_600, 40_000, False, length_prefixed([unit]), 2.5)]
    assert demuxer.events_received() == []


def test_streams_are_interleaved() -> None:
    demuxer, writer = started()
    picture = writer.video(AUD, SLICE + b"\x55" * 1_900, pts=3_600)
    sound = writer.pes(AUDIO_PID, pes(adts(b"\x21" * 700), 1_920, stream_id=0xC0))
    pieces = [picture[at : at + 188] for at in range(0, len(picture), 188)]
    for index in range(0, len(sound), 188):
        pieces.insert(1 + index // 94, sound[index : index + 188])
    null = b"\x47\x1f\xff\x10" + bytes(184)
    unknown = b"\x47\x02\x00\x10" + bytes(184)
    assert short(events(demuxer, null.join(pieces) + unknown)) == [("a0", 1_920), ("v0", 3_600)]
    assert demuxer.counters.discontinuities == 0


@pytest.mark.parametrize("lost", range(12))
def test_a_missing_packet_costs_its_picture_alone(lost: int) -> None:
    demuxer, writer = started()
    picture = writer.video(AUD, SLICE + b"\x55" * 1_900, pts=3_600)
    assert len(picture) // 188 == 11
    rest = writer.video(AUD, SLICE, pts=7_200) + writer.video(AUD, SLICE, pts=10_800)
    found = short(events(demuxer, picture[: lost * 188] + picture[(lost + 1) * 188 :] + rest))
    if lost < 11:
        assert found == [("v0", 7_200), ("v0", 10_800)]
        assert demuxer.counters.discontinuities == 1
    else:
        assert found == [("v0", 3_600), ("v0", 7_200), ("v0", 10_800)]


def test_the_transport_says_that_bytes_are_missing() -> None:
    demuxer, writer = started()
    picture = writer.video(AUD, SLICE + b"\x55" * 5_000, pts=3_600)
    # 16 packets later the counter is the same: only the transport knows.
    assert short(events(demuxer, picture[: 188 * 4])) == []
    demuxer.packets_lost(1.5)
    assert short(events(demuxer, picture[188 * 20 :] + writer.video(AUD, SLICE, pts=7_200))) == [("v0", 7_200)]
    assert (demuxer.counters.discontinuities, demuxer.counters.damaged) == (0, 1)


def test_few_missing_datagrams_are_left_to_the_counters() -> None:
    demuxer, writer = started()
    picture = writer.video(AUD, SLICE + b"\x55" * 5_000, pts=3_600)
    assert short(events(demuxer, picture[: 188 * 4])) == []
    demuxer.packets_lost(1.5, datagrams=2)
    # Nothing of this stream was in them.
    assert short(events(demuxer, picture[188 * 4 :])) == [("v0", 3_600)]
    demuxer.packets_lost(1.5, datagrams=3)
    assert demuxer.counters.damaged == 0


def test_sound_before_a_loss_is_kept() -> None:
    demuxer, writer = started()
    sound = writer.pes(AUDIO_PID, pes(adts(b"\x21" * 100) * 6, 1_920, stream_id=0xC0))
    more = writer.pes(AUDIO_PID, pes(adts(b"\x22" * 100), 13_440, stream_id=0xC0))
    found = events(demuxer, sound[: 188 * 2] + sound[188 * 3 :] + more)
    assert short(found) == [("a0", 1_920), ("a0", 3_840), ("a0", 5_760), ("a0", 13_440)]


def test_the_encoder_changes_its_streams() -> None:
    demuxer, writer = started()
    other = pmt([*STREAMS, (ADTS, 0x102, [language(b"fre")])], version=1)
    data = writer.section(PMT_PID, other) + writer.pes(0x102, pes(adts(b"\x21"), 0, stream_id=0xC1))
    found = events(demuxer, data + writer.video(AUD, SLICE, pts=3_600))
    assert found[0] == TracksAnnounced(frozenset((TrackId("v0"), TrackId("a0"), TrackId("a1"))))
    assert isinstance(found[1], TrackConfigured)
    assert (found[1].track.id, found[1].track.language) == ("a1", "fr")
    assert short(found[2:]) == [("a1", 0), ("v0", 3_600)]
    found = events(demuxer, writer.section(PMT_PID, pmt([(H264, VIDEO_PID, [])], version=2)))
    announced = TracksAnnounced(frozenset((TrackId("v0"),)))
    assert found == [TrackFinished(TrackId("a0")), TrackFinished(TrackId("a1")), announced]


def test_cues_are_handed_on() -> None:
    demuxer, writer = Demuxer(), TsWriter()
    streams: list[StreamSpec] = [(H264, VIDEO_PID, []), (CUE, CUE_PID, [])]
    section = bytes.fromhex("fc301100000000000000fff000000000") + b"\x00\x00"
    section = section[:1] + (0x3000 | len(section) + 1).to_bytes(2) + section[3:]
    section += crc32(section).to_bytes(4)
    data = writer.tables(*streams) + writer.pes(VIDEO_PID, pes(b"", 0), pcr=123_456) + writer.section(CUE_PID, section)
    assert events(demuxer, data)[1:] == [CueReceived(123_456, section)]
    signal = bytes.fromhex("fc302000000000000000fff00506fe000dbba00000")
    signal = signal[:1] + (0x3000 | len(signal) + 1).to_bytes(2) + signal[3:]
    signal += crc32(signal).to_bytes(4)
    assert events(demuxer, writer.section(CUE_PID, signal)) == [CueReceived(900_000, signal)]
    broken = signal[:-1] + bytes((signal[-1] ^ 1,))
    assert events(demuxer, writer.section(CUE_PID, broken)) == []
    assert events(demuxer, writer.section(CUE_PID, pat())) == []
    assert demuxer.counters.malformed >= 1


def test_the_clock_jumps() -> None:
    demuxer, writer = started()
    events(demuxer, writer.packet(VIDEO_PID, b"", pcr=5))
    events(demuxer, writer.packet(VIDEO_PID, b"", pcr=900_000, flags=0x80))
    assert demuxer.counters.pcr_jumps == 1


def test_encrypted_streams_are_refused_once() -> None:
    demuxer, writer = started()
    found = events(demuxer, b"".join(writer.video(AUD, SLICE, pts=0, head=0x80) for _ in range(3)))
    assert [(event.codec, event.reason) for event in found if isinstance(event, TrackRefused)] == [
        ("h264", "its payload is encrypted (scrambled)")
    ]
    assert demuxer.counters.scrambled == 3


def test_garbage_in_front_and_between() -> None:
    demuxer, writer = Demuxer(), TsWriter()
    pictures = [writer.video(AUD, SLICE + bytes((number,)) * 300, pts=number * 3_600) for number in range(1, 6)]
    head = writer.tables(*STREAMS) + writer.video(*KEY, pts=0)
    data = b"\x00noise" + head + pictures[0] + pictures[1] + b"\xffmore noise" + pictures[2] + pictures[3] + pictures[4]
    # A packet of null data behind, so that the last sync can be believed.
    found = events(demuxer, data + (b"\x47\x1f\xff\x10" + bytes(184)) * 3)
    assert short(found[1:]) == [("TrackConfigured", 0)] + [("v0", number * 3_600) for number in range(6)]
    assert demuxer.counters.skipped_bytes == 6 + 11


def test_the_end_gives_what_waited() -> None:
    demuxer, writer = started()
    assert events(demuxer, writer.pes(VIDEO_PID, pes(b"\x00\x00\x01" + SLICE + b"\x77" * 163, 3_600))) == []
    demuxer.receive_eof(4.0)
    (last,) = demuxer.events_received()
    assert isinstance(last, Packet)
    assert (last.dts, last.arrived) == (3_600, 4.0)


def test_a_picture_above_the_bound_is_dropped() -> None:
    demuxer, writer = Demuxer(Limits(pes_bytes=3_000)), TsWriter()
    events(demuxer, writer.tables(*STREAMS) + writer.video(*KEY, pts=0))
    assert events(demuxer, writer.video(AUD, SLICE + b"\x55" * 5_000, pts=3_600)) == []
    assert short(events(demuxer, writer.video(AUD, SLICE, pts=7_200))) == [("v0", 7_200)]
    assert demuxer.counters.oversized == 1


@pytest.mark.parametrize("seed", range(5))
def test_pieces_do_not_matter_when_packets_are_lost_and_doubled(seed: int) -> None:
    dice = random.Random(seed)
    writer = TsWriter()
    data = writer.tables(*STREAMS) + writer.video(*KEY, pts=0)
    for number in range(1, 60):
        rest = dice.randbytes(dice.randrange(900)).replace(b"\x00", b"\x01")
        data += writer.video(AUD, SLICE + rest, pts=number * 3_600)
        data += writer.pes(AUDIO_PID, pes(adts(b"\x21" * 50) * 3, number * 5_760, stream_id=0xC0))
    packets = []
    for at in range(0, len(data), 188):
        if (chance := dice.random()) > 0.03:
            packets.append(data[at : at + 188])
        if chance > 0.97:
            packets.append(data[at : at + 188] + dice.randbytes(dice.randrange(3)))
    data = b"".join(packets)
    whole = Demuxer()
    expected = events(whole, data)
    for size in (1, 188, 1_316):
        pieces = Demuxer()
        found = [event for at in range(0, len(data), size) for event in events(pieces, data[at : at + size])]
        assert found == expected
        assert pieces.counters == whole.counters
    assert whole.counters.discontinuities > 3
    assert whole.counters.duplicates > 1
    assert len(expected) > 100
