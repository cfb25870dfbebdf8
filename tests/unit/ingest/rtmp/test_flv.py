from __future__ import annotations

import pytest
from tests.codec_vectors import (
    AC3_FRAME,
    AC3_FRAME_MONO,
    ASC_LC,
    ASC_LC_8K,
    ASC_LC_51,
    AV1_KEY_FRAME,
    AV1C_HLG,
    AVCC_BASELINE,
    AVCC_HIGH,
    EAC3_FRAME,
    HVCC_MAIN,
    OPUS_20MS,
    OPUS_HEAD,
    STREAMINFO,
    STREAMINFO_FINAL,
    VP9_INTER_FRAME,
    VP9_KEY_FRAME,
    VPCC,
)

from headwater.ingest.media import Codec, Packet, TrackId
from headwater.ingest.rtmp.enhanced import BadTag
from headwater.ingest.rtmp.flv import MAX_REFUSALS, TagReader
from headwater.ingest.tracks import TrackConfigured, TrackEvent, TrackFinished, TrackRefused

NOW = 7.5
IDR = b"\x00\x00\x00\x02\x65\x88"
SLICE = b"\x00\x00\x00\x02\x41\x9a"
AVC_CONFIG = b"\x17\x00\x00\x00\x00" + AVCC_HIGH
AAC_CONFIG = b"\xaf\x00" + ASC_LC


def configured(events: list[TrackEvent]) -> list[tuple[str, Codec]]:
    """(track, codec) of the events, which must all be TrackConfigured."""
    found = []
    for event in events:
        assert isinstance(event, TrackConfigured)
        found.append((str(event.track.id), event.track.codec))
    return found


def packets(events: list[TrackEvent]) -> list[Packet]:
    found = []
    for event in events:
        assert isinstance(event, Packet)
        found.append(event)
    return found


def ready() -> TagReader:
    """A reader with H.264 and AAC configured the classic way."""
    reader = TagReader()
    assert configured(reader.video(AVC_CONFIG, 0, NOW)) == [("v0", Codec.H264)]
    assert configured(reader.audio(AAC_CONFIG, 0, NOW)) == [("a0", Codec.AAC)]
    return reader


def test_classic_frames() -> None:
    reader = ready()
    assert reader.video(b"\x17\x01\x00\x00\x50" + IDR, 0xFFFFFFFF, NOW) == [
        Packet(TrackId("v0"), 0xFFFFFFFF, 80_000, True, IDR, NOW)
    ]
    assert reader.video(b"\x27\x01\xff\xff\xd8" + SLICE, 40, NOW) == [
        Packet(TrackId("v0"), 40, -40_000, False, SLICE, NOW)
    ]
    assert reader.audio(b"\xaf\x01DATA", 21, NOW) == [Packet(TrackId("a0"), 21, 0, True, b"DATA", NOW)]


def test_hevc_under_codec_id_12() -> None:
    reader = TagReader()
    assert configured(reader.video(b"\x1c\x00\x00\x00\x00" + HVCC_MAIN, 0, NOW)) == [("v0", Codec.HEVC)]
    assert len(packets(reader.video(b"\x1c\x01\x00\x00\x00\x00\x00\x00\x03\x28\x01\xaf", 0, NOW))) == 1


@pytest.mark.parametrize(
    ("fourcc", "config", "frame", "codec"),
    [
        (b"avc1", AVCC_HIGH, b"\0\0\0" + IDR, Codec.H264),
        (b"hvc1", HVCC_MAIN, b"\0\0\0\0\0\0\3\x28\x01\xaf", Codec.HEVC),
        (b"av01", AV1C_HLG, AV1_KEY_FRAME, Codec.AV1),
    ],
)
def test_enhanced_video(fourcc: bytes, config: bytes, frame: bytes, codec: Codec) -> None:
    reader = TagReader()
    assert configured(reader.video(b"\x90" + fourcc + config, 0, NOW)) == [("v0", codec)]
    assert len(packets(reader.video(b"\x91" + fourcc + frame, 0, NOW))) == 1


@pytest.mark.parametrize(
    ("fourcc", "config", "codec"),
    [(b"mp4a", ASC_LC, Codec.AAC), (b"Opus", OPUS_HEAD, Codec.OPUS), (b"fLaC", STREAMINFO, Codec.FLAC)],
)
def test_enhanced_audio(fourcc: bytes, config: bytes, codec: Codec) -> None:
    reader = TagReader()
    assert configured(reader.audio(b"\x90" + fourcc + config, 0, NOW)) == [("a0", codec)]
    assert packets(reader.audio(b"\x91" + fourcc + b"DATA", 5, NOW))[0].payload == b"DATA"


def test_vp9_is_configured_by_its_first_key_frame() -> None:
    reader = TagReader()
    assert reader.video(b"\x90vp09" + VPCC, 0, NOW) == []
    assert reader.video(b"\xa1vp09" + VP9_INTER_FRAME, 0, NOW) == []
    assert reader.counters.before_config == 1
    first, second = reader.video(b"\x91vp09" + VP9_KEY_FRAME, 0, NOW)
    assert isinstance(first, TrackConfigured)
    assert (first.track.width, first.track.height) == (64, 64)
    assert isinstance(second, Packet)
    assert reader.video(b"\x90vp09" + VPCC, 0, NOW) == []
    assert len(packets(reader.video(b"\xa1vp09" + VP9_INTER_FRAME, 0, NOW))) == 1


def test_ac3_is_configured_by_its_first_frame_and_again_when_its_header_changes() -> None:
    reader = TagReader()
    assert reader.audio(b"\x90ac-3", 0, NOW) == []  # FFmpeg: sequence start without a body
    assert reader.audio(b"\x91ac-3no syncframe", 0, NOW) == []
    reserved = AC3_FRAME[:4] + b"\xff" + AC3_FRAME[5:]
    assert reader.audio(b"\x91ac-3" + reserved, 0, NOW) == [
        TrackRefused(TrackId("a0"), "ac3", "AC-3 header has reserved values")
    ]
    first, second = reader.audio(b"\x91ac-3" + AC3_FRAME, 0, NOW)
    assert isinstance(first, TrackConfigured)
    assert (first.track.codec, first.track.channels) == (Codec.AC3, 6)
    assert isinstance(second, Packet)
    assert len(packets(reader.audio(b"\x91ac-3" + AC3_FRAME, 32, NOW))) == 1
    changed = reader.audio(b"\x91ac-3" + AC3_FRAME_MONO, 64, NOW)[0]
    assert isinstance(changed, TrackConfigured)
    assert changed.track.channels == 1
    switched = reader.audio(b"\x91ec-3" + EAC3_FRAME, 96, NOW)[0]
    assert isinstance(switched, TrackConfigured)
    assert switched.track.codec is Codec.EAC3


def test_a_configuration_that_was_sent_is_believed_over_the_frames() -> None:
    reader = TagReader()
    assert configured(reader.audio(b"\x90ac-3\x10\x3d\xe0", 0, NOW)) == [("a0", Codec.AC3)]
    assert len(packets(reader.audio(b"\x91ac-3" + AC3_FRAME_MONO, 0, NOW))) == 1


def test_a_configuration_that_comes_after_frames_is_believed_too() -> None:
    reader = TagReader()
    assert isinstance(reader.audio(b"\x91ac-3" + AC3_FRAME_MONO, 0, NOW)[0], TrackConfigured)
    assert configured(reader.audio(b"\x90ac-3\x10\x3d\xe0", 32, NOW)) == [("a0", Codec.AC3)]
    for at in range(3):
        [packet] = reader.audio(b"\x91ac-3" + AC3_FRAME_MONO, 64 + 32 * at, NOW)
        assert isinstance(packet, Packet)
        assert reader.audio(b"\x90ac-3\x10\x3d\xe0", 64 + 32 * at, NOW) == []


def test_repeated_configurations_are_silent_and_changed_ones_are_not() -> None:
    reader = ready()
    assert reader.video(AVC_CONFIG, 40, NOW) == []
    assert reader.video(b"\x90avc1" + AVCC_HIGH, 40, NOW) == []
    assert reader.video(AVC_CONFIG[:-4], 40, NOW) == []  # other bytes, same meaning
    assert configured(reader.video(AVC_CONFIG[:5] + AVCC_BASELINE, 40, NOW)) == [("v0", Codec.H264)]
    assert configured(reader.video(AVC_CONFIG, 80, NOW)) == [("v0", Codec.H264)]
    assert configured(reader.audio(b"\xaf\x00" + ASC_LC_51, 80, NOW)) == [("a0", Codec.AAC)]


def test_flac_statistics_at_the_end_are_no_change() -> None:
    reader = TagReader()
    reader.audio(b"\x90fLaC" + STREAMINFO, 0, NOW)
    assert reader.audio(b"\x90fLaC" + STREAMINFO_FINAL, 9_000, NOW) == []


def test_an_empty_configuration_waits_for_a_later_one() -> None:
    reader = TagReader()
    assert reader.audio(b"\xaf\x00", 0, NOW) == []
    assert reader.audio(b"\xaf\x01DATA", 0, NOW) == []
    assert (reader.counters.empty, reader.counters.before_config) == (1, 1)
    assert configured(reader.audio(b"\xaf\x00" + ASC_LC_8K, 0, NOW)) == [("a0", Codec.AAC)]
    assert reader.audio(b"\xaf\x00", 0, NOW) == []
    assert len(packets(reader.audio(b"\xaf\x01DATA", 0, NOW))) == 1


def test_a_broken_configuration_is_refused_once_and_ends_nothing() -> None:
    reader = TagReader()
    broken = b"\x17\x00\x00\x00\x00" + AVCC_HIGH[:5] + b"\xe0\x00"
    assert reader.video(broken, 0, NOW) == [TrackRefused(TrackId("v0"), "h264", "avcC holds no SPS")]
    assert reader.video(broken, 0, NOW) == []
    assert reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW) == []
    assert configured(reader.video(AVC_CONFIG, 0, NOW)) == [("v0", Codec.H264)]
    assert reader.video(broken, 0, NOW) == []
    assert len(packets(reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW))) == 1


def test_frames_before_their_configuration_are_dropped_and_counted() -> None:
    reader = TagReader()
    assert reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW) == []
    assert reader.audio(b"\xaf\x01DATA", 0, NOW) == []
    reader.video(AVC_CONFIG, 0, NOW)
    # Another codec than the configured one.
    assert reader.video(b"\xa3hvc1" + SLICE, 0, NOW) == []
    assert reader.counters.before_config == 3


def test_the_codec_of_a_track_may_change() -> None:
    reader = ready()
    assert configured(reader.video(b"\x90hvc1" + HVCC_MAIN, 0, NOW)) == [("v0", Codec.HEVC)]
    assert reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW) == []
    assert configured(reader.audio(b"\x90Opus" + OPUS_HEAD, 0, NOW)) == [("a0", Codec.OPUS)]
    assert len(packets(reader.audio(b"\x91Opus" + OPUS_20MS, 0, NOW))) == 1


def test_empty_units_and_empty_access_units() -> None:
    reader = ready()
    empty = bytes(4)
    assert packets(reader.video(b"\x17\x01\x00\x00\x00" + empty + IDR + empty, 0, NOW))[0].payload == IDR
    assert reader.video(b"\x27\x01\x00\x00\x00", 0, NOW) == []
    assert reader.video(b"\x27\x01\x00\x00\x00" + empty, 0, NOW) == []
    assert reader.audio(b"\xaf\x01", 0, NOW) == []
    assert reader.counters.empty == 3


def test_the_end_of_a_sequence_and_packets_after_it() -> None:
    reader = ready()
    assert reader.video(b"\x17\x02\x00\x00\x00", 0, NOW) == [TrackFinished(TrackId("v0"))]
    assert reader.video(b"\x17\x02", 0, NOW) == []
    first, second = reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW)
    assert isinstance(first, TrackConfigured)
    assert isinstance(second, Packet)
    assert reader.video(b"\x92avc1", 0, NOW) == [TrackFinished(TrackId("v0"))]
    assert configured(reader.video(AVC_CONFIG, 0, NOW)) == [("v0", Codec.H264)]
    assert reader.audio(b"\x92mp4a", 0, NOW) == [TrackFinished(TrackId("a0"))]
    assert TagReader().video(b"\x17\x02\x00\x00\x00", 0, NOW) == []


def test_commands_metadata_and_empty_messages_are_ignored() -> None:
    reader = ready()
    messages = [
        b"",
        b"\x57\x00",
        b"\x52\x01",
        b"\xd1\x00",
        b"\xd4av01" + bytes(20),
        b"\x17\x07\x00\x00\x00",
        b"\x95av01",
    ]
    for payload in messages:
        assert reader.video(payload, 0, NOW) == []
    for payload in (b"", b"\xaf\x02", b"\x94mp4a\x01\x06\x00\x00\x06\x0f"):
        assert reader.audio(payload, 0, NOW) == []
    assert reader.counters.ignored == len(messages) + 3


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"\x22\x00", "h263"),
        (b"\x24\x00", "vp6"),
        (b"\x29\x00", "unknown"),
        (b"\x90vvc1", "vvc1"),
        (b"\x91vp08", "vp08"),
    ],
)
def test_video_codecs_are_refused_by_name_once(payload: bytes, name: str) -> None:
    reader = TagReader()
    expected = TrackRefused(TrackId("v0"), name, "this codec cannot be delivered")
    assert reader.video(payload, 0, NOW) == [expected]
    assert reader.video(payload, 0, NOW) == []
    assert reader.counters.refused == 2
    assert configured(reader.audio(AAC_CONFIG, 0, NOW)) == [("a0", Codec.AAC)]


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"\x2f\xff\xfb", "mp3"),
        (b"\xb2\x00", "speex"),
        (b"\x72\x00", "g711a"),
        (b"\x82\x00", "g711u"),
        (b"\x3e\x00", "pcm"),
        (b"\xc0", "unknown"),
        (b"\x91.mp3\xff\xfb", ".mp3"),
        (b"\x91\x00\xff\x00\x01", "00ff0001"),
    ],
)
def test_audio_codecs_are_refused_by_name_and_the_rest_goes_on(payload: bytes, name: str) -> None:
    reader = TagReader()
    assert reader.audio(payload, 0, NOW) == [TrackRefused(TrackId("a0"), name, "this codec cannot be delivered")]
    assert reader.audio(payload, 0, NOW) == []
    assert configured(reader.video(AVC_CONFIG, 0, NOW)) == [("v0", Codec.H264)]


def test_track_0_of_multitrack_is_the_plain_track() -> None:
    reader = ready()
    assert reader.video(b"\x96\x00avc1\x00" + AVCC_HIGH, 0, NOW) == []
    assert configured(reader.video(b"\x96\x00avc1\x01" + AVCC_HIGH, 0, NOW)) == [("v1", Codec.H264)]
    frame = b"\x00\x00\x00" + IDR
    size = len(frame).to_bytes(3)
    both = packets(reader.video(b"\x96\x11avc1\x00" + size + frame + b"\x01" + size + frame, 40, NOW))
    assert [(packet.track, packet.payload) for packet in both] == [("v0", IDR), ("v1", IDR)]
    assert packets(reader.audio(b"\x95\x01mp4a\x00DATA", 40, NOW))[0].track == "a0"


def test_many_codecs_in_one_message() -> None:
    reader = TagReader()
    message = b"\x96\x20"
    for number, (fourcc, config) in enumerate(((b"avc1", AVCC_HIGH), (b"vvc1", b"?"), (b"av01", AV1C_HLG))):
        message += fourcc + bytes((number,)) + len(config).to_bytes(3) + config
    first, second, third = reader.video(message, 0, NOW)
    assert configured([first, third]) == [("v0", Codec.H264), ("v2", Codec.AV1)]
    assert second == TrackRefused(TrackId("v1"), "vvc1", "this codec cannot be delivered")


def test_tracks_beyond_the_bound_are_refused_by_number() -> None:
    reader = TagReader(tracks_per_kind=2)
    for number in (5, 0):
        assert len(configured(reader.audio(b"\x95\x00mp4a" + bytes((number,)) + ASC_LC, 0, NOW))) == 1
    refused = TrackRefused(TrackId("a9"), "aac", "there are already 2 audio tracks")
    assert reader.audio(b"\x95\x00mp4a\x09" + ASC_LC, 0, NOW) == [refused]
    assert reader.audio(b"\x95\x00mp4a\x09" + ASC_LC, 0, NOW) == []
    assert configured(reader.video(AVC_CONFIG, 0, NOW)) == [("v0", Codec.H264)]


def test_refusals_of_one_publisher_are_bounded() -> None:
    reader = TagReader()
    events = [reader.video(b"\x90" + number.to_bytes(4), 0, NOW) for number in range(500)]
    assert sum(map(len, events)) == MAX_REFUSALS
    assert reader.counters.refused == 500


@pytest.mark.parametrize("payload", [b"\x17", b"\x17\x00\x00\x00", b"\x17\x01\x00", b"\x91hv", b"\x91hvc1\x00"])
def test_bad_video_messages_leave_the_reader_as_it_was(payload: bytes) -> None:
    reader = ready()
    with pytest.raises(BadTag):
        reader.video(payload, 0, NOW)
    assert len(packets(reader.video(b"\x17\x01\x00\x00\x00" + IDR, 0, NOW))) == 1


@pytest.mark.parametrize("payload", [b"\xaf", b"\x91mp", b"\x95\x11mp4a\x00\x00\x00\x09DATA"])
def test_bad_audio_messages_leave_the_reader_as_it_was(payload: bytes) -> None:
    reader = ready()
    with pytest.raises(BadTag):
        reader.audio(payload, 0, NOW)
    assert len(packets(reader.audio(b"\xaf\x01DATA", 0, NOW))) == 1


def test_metadata_gives_language_and_name_to_later_tracks() -> None:
    reader = TagReader()
    reader.metadata(
        {
            "audioTrackIdInfoMap": {
                "0": {"language": "de", "name": "Kommentar"},
                "1": {"language": 5, "title": "x" * 99},
            },
            "videoTrackIdInfoMap": {"0": {"language": "not a tag"}, "x": {}, "256": {}, "1": None},
        }
    )
    reader.metadata({"videoTrackIdInfoMap": "nonsense", "width": 1920.0})
    (event,) = reader.audio(AAC_CONFIG, 0, NOW)
    assert isinstance(event, TrackConfigured)
    assert (event.track.language, event.track.name) == ("de", "Kommentar")
    (event,) = reader.audio(b"\x95\x00mp4a\x01" + ASC_LC, 0, NOW)
    assert isinstance(event, TrackConfigured)
    assert (event.track.language, event.track.name) == ("und", "x" * 64)
    (event,) = reader.video(AVC_CONFIG, 0, NOW)
    assert isinstance(event, TrackConfigured)
    assert (event.track.language, event.track.name) == ("und", "")
