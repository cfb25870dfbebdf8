from __future__ import annotations

import pytest

from headwater.ingest.rtmp.enhanced import MAX_PIECES, BadTag, Piece, PieceKind, parse_audio, parse_video, signed24

CONFIG, FRAME, END, IGNORED = PieceKind.CONFIG, PieceKind.FRAME, PieceKind.END, PieceKind.IGNORED


def test_signed_24_bit() -> None:
    assert [signed24(bytes.fromhex(text)) for text in ("000000", "7fffff", "800000", "ffffff")] == [
        0,
        8_388_607,
        -8_388_608,
        -1,
    ]


@pytest.mark.parametrize(
    ("payload", "piece"),
    [
        (b"\x90hvc1CONFIG", Piece(CONFIG, b"hvc1", 0, b"CONFIG", 0, True)),
        (b"\x91hvc1\x00\x00\x50DATA", Piece(FRAME, b"hvc1", 0, b"DATA", 80_000, True)),
        (b"\xa1avc1\xff\xff\xd8DATA", Piece(FRAME, b"avc1", 0, b"DATA", -40_000, False)),
        (b"\xa1vvc1\x00\x00\x01DATA", Piece(FRAME, b"vvc1", 0, b"DATA", 1_000, False)),
        (b"\xa3hvc1DATA", Piece(FRAME, b"hvc1", 0, b"DATA", 0, False)),
        # Only the three NAL codecs have a composition time.
        (b"\x91av01\x00\x00\x50DATA", Piece(FRAME, b"av01", 0, b"\x00\x00\x50DATA", 0, True)),
        (b"\xa1vp09DATA", Piece(FRAME, b"vp09", 0, b"DATA", 0, False)),
        (b"\xc1vp09DATA", Piece(FRAME, b"vp09", 0, b"DATA", 0, True)),  # generated key frame
        (b"\x92hvc1", Piece(END, b"hvc1", 0, b"", 0, True)),
        (b"\x95av01ts", Piece(IGNORED, b"av01", 0, b"ts", 0, True)),
        (b"\x9favc1", Piece(IGNORED, b"avc1", 0, b"", 0, True)),
    ],
)
def test_video_packet_types(payload: bytes, piece: Piece) -> None:
    assert parse_video(payload) == [piece]


@pytest.mark.parametrize("payload", [b"\xd4av01" + bytes(9), b"\x94hvc1" + bytes(9), b"\xd1\x00", b"\xd3"])
def test_metadata_and_commands_are_nothing_for_us(payload: bytes) -> None:
    assert [piece.kind for piece in parse_video(payload)] == [IGNORED]


@pytest.mark.parametrize(
    ("payload", "piece"),
    [
        (b"\x90OpusHEAD", Piece(CONFIG, b"Opus", 0, b"HEAD", 0, True)),
        (b"\x91mp4aDATA", Piece(FRAME, b"mp4a", 0, b"DATA", 0, True)),
        (b"\x92fLaC", Piece(END, b"fLaC", 0, b"", 0, True)),
        (b"\x94mp4a\x01\x06\x00\x00\x06\x0f", Piece(IGNORED, b"", 0, b"", 0, False)),
        (b"\x93Opus", Piece(IGNORED, b"", 0, b"", 0, False)),
    ],
)
def test_audio_packet_types(payload: bytes, piece: Piece) -> None:
    assert parse_audio(payload) == [piece]


def test_one_track() -> None:
    assert parse_video(b"\x96\x00av01\x01CONFIG") == [Piece(CONFIG, b"av01", 1, b"CONFIG", 0, True)]
    assert parse_video(b"\xa6\x01hvc1\x02\x00\x00\x28DATA") == [Piece(FRAME, b"hvc1", 2, b"DATA", 40_000, False)]
    assert parse_audio(b"\x95\x01Opus\x07DATA") == [Piece(FRAME, b"Opus", 7, b"DATA", 0, True)]


def test_many_tracks_share_a_codec() -> None:
    payload = b"\x96\x11avc1" + b"\x00\x00\x00\x05\x00\x00\x28AA" + b"\x01\x00\x00\x04\x00\x00\x00B"
    assert parse_video(payload) == [
        Piece(FRAME, b"avc1", 0, b"AA", 40_000, True),
        Piece(FRAME, b"avc1", 1, b"B", 0, True),
    ]
    assert parse_audio(b"\x95\x10mp4a" + b"\x03\x00\x00\x02HI") == [Piece(CONFIG, b"mp4a", 3, b"HI", 0, True)]


def test_many_tracks_with_their_own_codecs() -> None:
    payload = b"\x96\x21" + b"avc1\x00\x00\x00\x04\x00\x00\x28A" + b"av01\x01\x00\x00\x01B" + b"vp09\x02\x00\x00\x00"
    assert parse_video(payload) == [
        Piece(FRAME, b"avc1", 0, b"A", 40_000, True),
        Piece(FRAME, b"av01", 1, b"B", 0, True),
        Piece(FRAME, b"vp09", 2, b"", 0, True),
    ]
    audio = b"\x95\x21" + b"mp4a\x00\x00\x00\x01A" + b"Opus\x01\x00\x00\x01B"
    assert [(piece.fourcc, piece.track) for piece in parse_audio(audio)] == [(b"mp4a", 0), (b"Opus", 1)]


def test_a_nano_offset_adds_to_the_presentation_time() -> None:
    # size 3 (written as 2), 999_999 ns, ModEx type 0, packet type 1
    modex = b"\x97\x02\x0f\x42\x3f\x01"
    assert parse_video(modex + b"hvc1\x00\x00\x02DATA") == [Piece(FRAME, b"hvc1", 0, b"DATA", 2_999, True)]
    assert parse_audio(modex + b"OpusDATA") == [Piece(FRAME, b"Opus", 0, b"DATA", 999, True)]


def test_modex_of_unknown_types_and_of_long_sizes_are_passed_over() -> None:
    unknown = b"\x00\xee\x57"  # one byte, type 5, then ModEx again
    long_one = b"\xff\x01\x2b" + bytes(300) + b"\x53"  # 256, then 300 in 16 bits; then CodedFramesX
    assert parse_video(b"\xa7" + unknown + long_one + b"av01DATA") == [Piece(FRAME, b"av01", 0, b"DATA", 0, False)]


def test_modex_before_multitrack() -> None:
    assert parse_video(b"\x97\x02\x00\x03\xe8\x06\x01av01\x01DATA") == [Piece(FRAME, b"av01", 1, b"DATA", 1, True)]
    assert parse_audio(b"\x97\x02\x00\x03\xe8\x05\x01Opus\x01DATA") == [Piece(FRAME, b"Opus", 1, b"DATA", 1, True)]


def test_each_truncation_of_a_header_is_a_bad_tag() -> None:
    for whole, parse in (
        (b"\x97\x02\x0f\x42\x3f\x06\x21avc1\x00\x00\x00\x04\x00\x00\x28A", parse_video),
        (b"\x91hvc1\x00\x00\x28", parse_video),
        (b"\x97\xff\x01\x00" + bytes(257) + b"\x05\x20mp4a\x00\x00\x00\x01A", parse_audio),
    ):
        parse(whole)
        for length in range(len(whole)):
            try:
                pieces = parse(whole[:length])
            except BadTag:
                continue
            # Between two tracks of a multitrack message the end cannot be told from a complete one.
            assert pieces == []


@pytest.mark.parametrize(
    "payload",
    [
        b"\x97\x01\x00\x00\x01hvc1\x00\x00\x00",  # nano offset of 2 bytes
        b"\x97" + b"\x00\x00\x57" * 40 + b"\x00\x00\x03av01",  # endless ModEx
        b"\x96\x31avc1\x00",  # multitrack type 3
        b"\x96\x07avc1\x00",  # ModEx inside multitrack
        b"\x96\x11av01" + b"\x00\x00\x00\x00" * (MAX_PIECES + 1),
    ],
)
def test_what_cannot_be_meant_is_a_bad_tag(payload: bytes) -> None:
    with pytest.raises(BadTag):
        parse_video(payload)
    with pytest.raises(BadTag):
        parse_video(b"")
    with pytest.raises(BadTag):
        parse_audio(b"")
