from __future__ import annotations

from tests.codec_vectors import AVCC_HIGH, HVCC_MAIN
from tests.ts_kit import AUD, IDR, SEI, SLICE, SLICE_REST, START, X264_PPS, X264_SPS

from headwater.ingest.codecs.annexb import length_prefixed
from headwater.ingest.codecs.bits import ByteReader
from headwater.ingest.media import Codec, Packet, TrackId
from headwater.ingest.mpegts.output import Output, TrackOutput
from headwater.ingest.mpegts.video import NalStream
from headwater.ingest.tracks import TrackConfigured

from .test_sets import HIGH, pps
from .test_units import field

NOW = 3.0


class Case:
    """A stream and what it says."""

    def __init__(self, codec: Codec = Codec.H264, limit: int = 100_000) -> None:
        self.out = Output()
        self.stream = NalStream(TrackOutput(self.out, TrackId("v0")), codec, limit, "und")

    def send(self, *units: bytes, pts: int | None = None, dts: int | None = None, whole: bool = True) -> list[object]:
        return self.raw(b"".join(START + unit for unit in units), pts, dts, whole)

    def raw(self, data: bytes, pts: int | None = None, dts: int | None = None, whole: bool = True) -> list[object]:
        self.stream.pes(data, pts, dts, NOW, whole)
        return self.take()

    def take(self) -> list[object]:
        events, self.out.events = self.out.events, []
        return list(events)

    def started(self) -> Case:
        """Configured, with one IDR picture at 0."""
        (configured, packet) = self.send(AUD, X264_SPS, X264_PPS, IDR, pts=0)
        assert isinstance(configured, TrackConfigured)
        assert isinstance(packet, Packet)
        return self


def packet(units: list[bytes], dts: int, cts_us: int = 0, key: bool = False) -> Packet:
    return Packet(TrackId("v0"), dts, cts_us, key, length_prefixed(units), NOW)


def test_a_picture_per_pes() -> None:
    case = Case()
    configured, first = case.send(AUD, X264_SPS, X264_PPS, SEI, IDR, pts=7_200, dts=3_600)
    assert isinstance(configured, TrackConfigured)
    assert (configured.track.width, configured.track.height, configured.track.clock.bits) == (320, 184, 33)
    assert first == packet([SEI, IDR], 3_600, 40_000, key=True)
    assert case.send(AUD, SLICE, SLICE_REST, pts=10_800, dts=7_200) == [packet([SLICE, SLICE_REST], 7_200, 40_000)]
    assert case.send(AUD, X264_SPS, X264_PPS, IDR, pts=10_800) == [packet([IDR], 10_800, key=True)]


def test_several_pictures_in_a_pes_follow_at_the_frame_rate() -> None:
    case = Case().started()
    assert case.send(AUD, SLICE, AUD, SLICE, SLICE_REST, AUD, SLICE, pts=3_600) == [
        packet([SLICE], 3_600),
        packet([SLICE, SLICE_REST], 7_200),
        packet([SLICE], 10_800),
    ]
    assert case.send(AUD, SLICE) == [packet([SLICE], 14_400)]


def test_pictures_before_configuration_or_time_are_counted() -> None:
    case = Case()
    assert case.send(AUD, IDR) == []
    assert case.send(AUD, IDR, pts=0) == []
    assert (case.out.counters.without_time, case.out.counters.before_config) == (1, 1)
    assert len(case.send(X264_SPS, AUD, X264_PPS)) == 1
    assert case.send(AUD, SLICE) == [packet([SLICE], 3_600)]


def test_another_sequence_is_said_before_its_picture() -> None:
    case = Case().started()
    configured, first = case.send(AUD, *HIGH, IDR, pts=3_600)
    assert isinstance(configured, TrackConfigured)
    assert configured.track.config == AVCC_HIGH
    assert first == packet([IDR], 3_600, key=True)
    assert case.send(AUD, *HIGH, IDR, pts=7_200) == [packet([IDR], 7_200, key=True)]


def test_another_picture_set_waits_for_the_key_picture() -> None:
    case = Case().started()
    assert case.send(AUD, pps(1), SLICE, pts=3_600) == [packet([pps(1), SLICE], 3_600)]
    assert case.send(AUD, SLICE, pts=7_200) == [packet([SLICE], 7_200)]
    configured, first = case.send(AUD, X264_SPS, X264_PPS, pps(1), IDR, pts=10_800)
    assert isinstance(configured, TrackConfigured)
    assert pps(1) in configured.track.config
    assert first == packet([IDR], 10_800, key=True)


def test_a_sequence_that_cannot_be_carried_is_refused_once_and_the_old_one_goes_on() -> None:
    case = Case().started()
    huge = X264_SPS[:4] + b"\xff" * 3
    case.send(AUD, huge, X264_PPS, IDR, pts=3_600)
    assert case.send(AUD, SLICE, pts=7_200) == [packet([SLICE], 7_200)]


def test_a_cut_picture_is_dropped() -> None:
    case = Case().started()
    assert case.send(AUD, SLICE, pts=3_600, whole=False) == []
    assert case.send(AUD, SLICE, pts=7_200) == [packet([SLICE], 7_200)]


def test_nothing_but_a_delimiter_is_no_picture() -> None:
    case = Case().started()
    assert case.send(AUD, SEI, pts=3_600) == []
    assert case.raw(b"", 3_600) == []
    assert case.raw(b"no start code", 3_600) == []


def test_pictures_that_begin_anywhere() -> None:
    case = Case().started()
    second = START + AUD + START + SLICE + b"\x00\x10" + START + SLICE_REST
    third, fourth = START + AUD + START + SLICE, START + AUD + START + SLICE + b"\x99"
    # From a packet that begins inside a slice on, a picture ends where the next begins.
    assert case.raw(second[:13], 3_600) == [packet([SLICE[:-1]], 3_600)]
    assert case.raw(second[13:] + third, 7_200) == []
    assert case.out.counters.damaged == 1
    assert case.raw(fourth[:9], 10_800) == [packet([SLICE], 7_200)]
    assert case.raw(fourth[9:] + START + SLICE_REST) == []
    assert case.send(AUD, SLICE, pts=14_400) == [packet([SLICE + b"\x99", SLICE_REST], 10_800)]
    assert case.out.counters.damaged == 1
    case.stream.end()
    assert case.take() == [packet([SLICE], 14_400)]


def test_zero_bytes_at_the_border_of_a_packet_are_kept() -> None:
    case = Case().started()
    case.raw(b"\x11" + START + AUD + START + SLICE + b"\x00", 3_600)
    assert case.raw(b"\x00\x03\x55", 7_200) == []
    case.stream.end()
    assert case.take() == [packet([SLICE + b"\x00\x00\x03\x55"], 3_600)]


def test_a_slice_whose_picture_was_lost_is_dropped() -> None:
    case = Case().started()
    assert case.send(SLICE_REST, AUD, SLICE, pts=3_600) == []
    assert case.out.counters.damaged == 1
    assert case.send(AUD, SLICE, pts=7_200) == [packet([SLICE], 3_600)]
    case.stream.lost()
    assert case.send(SLICE_REST) == []


def test_what_never_ends_is_bounded() -> None:
    case = Case(limit=1_000).started()
    case.send(SLICE_REST, pts=3_600)
    case.send(AUD, SLICE, pts=3_600)
    for _ in range(20):
        case.send(SLICE_REST + b"\x33" * 100)
        assert len(case.stream._pending) <= 1_000
    assert case.out.counters.oversized == 1


def test_fields_are_put_together() -> None:
    case = Case().started()
    top, bottom = field(1, False), field(1, True)
    # One packet, two packets.
    assert case.send(AUD, top, AUD, bottom, pts=3_600) == [packet([top, bottom], 3_600)]
    assert case.send(AUD, top, pts=7_200) == []
    assert case.send(AUD, bottom, pts=9_000) == [packet([top, bottom], 7_200)]


def test_a_field_without_its_other_goes_alone() -> None:
    case = Case().started()
    assert case.send(AUD, field(1, False), pts=3_600) == []
    assert case.send(AUD, SLICE, pts=7_200) == [packet([field(1, False)], 3_600), packet([SLICE], 7_200)]
    assert case.send(AUD, field(2, True), pts=10_800) == []
    case.stream.end()
    assert case.take() == [packet([field(2, True)], 10_800)]
    case.send(AUD, field(3, True), pts=14_400)
    case.stream.lost()
    assert case.send(AUD, SLICE, pts=18_000) == [packet([SLICE], 18_000)]


def test_hevc() -> None:
    record = ByteReader(HVCC_MAIN[22:])
    units = []
    for _ in range(record.number(1)):
        record.take(3)
        units.append(record.take(record.number(2)))
    case = Case(Codec.HEVC)
    aud, idr, trail = b"\x46\x01\x50", b"\x26\x01\xaf\x08", b"\x02\x01\xd0\x08"
    configured, first = case.send(aud, *units, idr, pts=0)
    assert isinstance(configured, TrackConfigured)
    assert (configured.track.width, configured.track.height) == (322, 182)
    assert first == packet([idr], 0, key=True)
    assert case.send(aud, trail, pts=3_003) == [packet([trail], 3_003)]
