from __future__ import annotations

from tests.codec_vectors import AVCC_BASELINE, AVCC_HIGH, HVCC_MAIN
from tests.ts_kit import AUD, IDR, X264_PPS, X264_SPS

from headwater.ingest.codecs import h264, hevc
from headwater.ingest.codecs.bits import ByteReader
from headwater.ingest.media import Codec
from headwater.ingest.mpegts.sets import Change, ParameterSets


def sets_of(avcc: bytes) -> tuple[bytes, bytes]:
    """The SPS and PPS of an avcC with one of each."""
    record = ByteReader(avcc[6:])
    sps = record.take(record.number(2))
    record.take(1)
    return sps, record.take(record.number(2))


HIGH, BASELINE = sets_of(AVCC_HIGH), sets_of(AVCC_BASELINE)


def pps(number: int, rest: bytes = b"\x40") -> bytes:
    """A PPS with an id below 3: ue(v) of 1 or 3 bits."""
    return b"\x68" + bytes(((0x80, 0x40, 0x60)[number] | 0x0F,)) + rest


def test_a_configuration_needs_both() -> None:
    sets = ParameterSets(Codec.H264)
    assert sets.take([AUD, HIGH[0]]) is Change.SEQUENCE
    assert not sets.complete
    assert sets.take([HIGH[1], IDR]) is Change.PICTURE
    assert sets.complete
    assert sets.config() == AVCC_HIGH
    assert sets.sequence == h264.read_sps(HIGH[0])


def test_repetitions_change_nothing() -> None:
    sets = ParameterSets(Codec.H264)
    sets.take([*HIGH, IDR])
    assert sets.take([*HIGH, IDR]) is Change.NONE
    assert sets.take([HIGH[1], IDR]) is Change.NONE
    assert sets.take([IDR]) is Change.NONE


def test_another_sequence_replaces_all() -> None:
    sets = ParameterSets(Codec.H264)
    sets.take([*HIGH, pps(1), IDR])
    assert sets.take([*BASELINE, IDR]) is Change.SEQUENCE
    assert sets.config() == AVCC_BASELINE


def test_another_picture_set_is_added_or_replaces_its_own() -> None:
    sets = ParameterSets(Codec.H264)
    sets.take([*HIGH])
    assert sets.take([pps(1)]) is Change.PICTURE
    assert sets.config() == h264.read_config(AVCC_HIGH[:6] + sized(HIGH[0]) + b"\x02" + sized(HIGH[1], pps(1))).config
    assert sets.take([pps(1, b"\x41")]) is Change.PICTURE
    assert sets.config().count(pps(1)) == 0


def sized(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(2) + unit for unit in units)


def test_what_cannot_be_read_is_passed_over() -> None:
    sets = ParameterSets(Codec.H264)
    assert sets.take([b"\x67", b"\x68", b"\x67\x64", b"\x68" + b"\x80" * 5_000]) is Change.NONE
    assert not sets.complete
    # Exp-Golomb 256: no such PPS.
    assert sets.take([b"\x68\x00\x80\x80\x40"]) is Change.NONE


def test_hevc() -> None:
    record = ByteReader(HVCC_MAIN[22:])
    units = []
    for _ in range(record.number(1)):
        record.take(3)
        units.append(record.take(record.number(2)))
    sets = ParameterSets(Codec.HEVC)
    assert sets.take(units) is Change.SEQUENCE
    assert sets.config() == hevc.read_config(HVCC_MAIN).config
    assert sets.take(units[::-1]) is Change.NONE
    assert sets.take([units[2][:2] + b"\x41" + units[2][3:]]) is Change.PICTURE
    assert [sets.kind(unit) for unit in (*units, b"\x46\x01", X264_SPS, X264_PPS)][:4] == [32, 33, 34, None]
