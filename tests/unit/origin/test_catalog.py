"""Rules 171 to 182: what the multivariant playlist says of which tracks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tests.live_feed import audio_track, video_track

from headwater.ingest.media import Codec, Rendition, Track, VideoRange
from headwater.origin.catalog import Listed, describe, in_order
from headwater.origin.hls.multivariant import read, render


def listed(name: str, track: Track, peak: int | None = 1_000_000, average: int | None = 900_000) -> Listed:
    return Listed(Rendition(name), track, peak, average, track.sample_rate > 0)


VIDEO = listed("source", video_track())
AUDIO = listed("audio", audio_track(), 130_000, 128_000)


def test_video_and_audio() -> None:
    found = describe([VIDEO, AUDIO])
    (variant,) = found.variants
    assert (variant.uri, variant.audio, variant.codecs) == ("source/index.m3u8", "audio-aac", "avc1.64001f,mp4a.40.2")
    assert variant.bandwidth == 1_243_000  # 1.1 times the peaks
    assert variant.average_bandwidth == 1_028_000
    assert [media.uri for media in found.media] == ["audio/index.m3u8"]
    assert not found.independent_segments
    assert read(render(found)) == found


def test_before_anything_was_measured() -> None:
    (variant,) = describe([listed("source", video_track(), None, None)]).variants
    assert variant.bandwidth == 5_500_000
    assert variant.average_bandwidth is None


def test_audio_only() -> None:
    """Audio segments are always independent (rule 182)."""
    found = describe([AUDIO])
    (variant,) = found.variants
    assert (variant.uri, variant.audio, variant.codecs) == ("audio/index.m3u8", None, "mp4a.40.2")
    assert (variant.resolution, variant.frame_rate, variant.closed_captions) == (None, None, None)
    assert found.media == ()
    assert found.independent_segments


def test_several_audio_only_tracks() -> None:
    found = describe([AUDIO, listed("audio-2", audio_track("a1", "fr"), 130_000, 128_000)])
    (variant,) = found.variants
    assert (variant.uri, variant.audio) == ("audio/index.m3u8", "audio-aac")
    assert [(media.language, media.default) for media in found.media] == [("en", True), ("fr", False)]


def test_video_only() -> None:
    found = describe([VIDEO])
    assert found.variants[0].audio is None
    assert found.variants[0].codecs == "avc1.64001f"


def test_two_languages_and_two_sizes() -> None:
    small = replace(video_track("avc1.64000d", "v1"), width=640, height=360)
    found = describe([VIDEO, listed("source-2", small), AUDIO, listed("audio-2", audio_track("a1", "fr", "Français"))])
    assert [variant.uri for variant in found.variants] == ["source/index.m3u8", "source-2/index.m3u8"]
    assert [variant.resolution for variant in found.variants] == [(1280, 720), (640, 360)]
    assert {variant.audio for variant in found.variants} == {"audio-aac"}
    assert [(media.name, media.default, media.autoselect) for media in found.media] == [
        ("en", True, True),
        ("Français", False, True),
    ]


def test_a_group_per_audio_codec() -> None:
    """A player without AC-3 finds a variant that does not name it."""
    ac3 = replace(audio_track("a1"), codec=Codec.AC3, codec_string="ac-3", channels=6)
    found = describe([VIDEO, AUDIO, listed("audio-2", ac3)])
    assert [(variant.audio, variant.codecs) for variant in found.variants] == [
        ("audio-aac", "avc1.64001f,mp4a.40.2"),
        ("audio-ac3", "avc1.64001f,ac-3"),
    ]
    assert all(media.default for media in found.media)


def test_names_are_distinct_and_quotable() -> None:
    """Rules 5, 177, 178."""
    tracks = [audio_track(f"a{n}", "und", name) for n, name in enumerate(("", 'a "b"\n', "x", "x"))]
    found = describe([VIDEO, *(listed(f"audio-{n}", track) for n, track in enumerate(tracks))])
    assert [media.name for media in found.media] == ["Audio 1", "a b", "x", "x 4"]
    assert {media.language for media in found.media} == {"und"}
    assert read(render(found)) == found


def test_captions() -> None:
    """Rule 179: NONE until some were seen."""
    assert describe([VIDEO, AUDIO]).variants[0].closed_captions == "NONE"
    found = describe([VIDEO, AUDIO], captions=True)
    assert found.variants[0].closed_captions == "cc"
    assert found.media[-1].instream_id == "CC1"
    assert found.media[-1].uri is None


def test_display_size_and_unknowns() -> None:
    anamorphic = replace(video_track(), width=720, height=576, sample_aspect=Fraction(16, 11))
    assert describe([listed("source", anamorphic)]).variants[0].resolution == (1047, 576)
    bare = replace(video_track(), width=0, height=0, frame_rate=None)
    variant = describe([listed("source", bare)]).variants[0]
    assert (variant.resolution, variant.frame_rate) == (None, None)


def test_video_range_is_the_tracks() -> None:
    """Rule 174."""
    for video_range, text in ((VideoRange.PQ, "PQ"), (VideoRange.HLG, "HLG"), (VideoRange.SDR, None)):
        track = replace(VIDEO.track, video_range=video_range)
        assert describe([listed("source", track)]).variants[0].video_range == text


def test_nothing() -> None:
    assert describe([]).variants == ()


def rung(name: str, bitrate: int, height: int, peak: int | None = 500_000) -> Listed:
    track = replace(video_track(), width=height * 16 // 9, height=height)
    return Listed(Rendition(name), track, peak, peak, True, bitrate)


LADDER = [rung("720p", 3_200_000, 720), rung("480p", 1_670_000, 480), rung("360p", 1_030_000, 360)]


def test_a_ladder_begins_with_the_rung_near_two_megabits() -> None:
    """Rule 176. What is measured does not change the order."""
    wanted = ["480p", "source", "720p", "360p", "audio"]
    for found in (in_order([VIDEO, *LADDER, AUDIO]), in_order([AUDIO, *reversed(LADDER), VIDEO])):
        assert [item.rendition for item in found] == wanted
    assert [item.rendition for item in in_order([VIDEO, LADDER[2], AUDIO])] == ["360p", "source", "audio"]


def test_without_a_ladder_the_order_is_the_publishers() -> None:
    items = [VIDEO, listed("source-2", video_track("avc1.64000d", "v1")), AUDIO]
    assert in_order(items) == items


def test_bandwidth_of_a_rung_is_what_it_may_have() -> None:
    """A quiet start must not promise a small peak: players read it once."""
    found = describe([rung("720p", 3_200_000, 720, peak=300_000)])
    assert found.variants[0].bandwidth == 3_200_000
    assert found.variants[0].average_bandwidth == 300_000
    found = describe([rung("720p", 3_200_000, 720, peak=None)])
    assert found.variants[0].bandwidth == 3_200_000
    found = describe([rung("720p", 3_200_000, 720, peak=3_500_000)])
    assert 3_850_000 <= found.variants[0].bandwidth <= 3_851_000


def test_segments_are_independent_when_only_rungs_are_listed() -> None:
    """Rule 182."""
    assert describe([*LADDER, AUDIO]).independent_segments
    assert not describe([VIDEO, *LADDER, AUDIO]).independent_segments


def audio_rung(name: str, bitrate: int, codec: Codec = Codec.AAC) -> Listed:
    return Listed(Rendition(name), replace(audio_track(), codec=codec), bitrate, bitrate, True, bitrate)


def test_higher_bit_rates_of_the_sound_go_with_larger_pictures() -> None:
    found = describe(in_order([VIDEO, *LADDER, AUDIO, audio_rung("audio-64k", 64_000)]))
    assert {variant.uri.partition("/")[0]: variant.audio for variant in found.variants} == {
        "480p": "audio-aac-64k",
        "source": "audio-aac",
        "720p": "audio-aac",
        "360p": "audio-aac-64k",
    }
    assert [media.group for media in found.media] == ["audio-aac", "audio-aac-64k"]
    assert read(render(found)) == found


def test_each_codec_of_the_sound_goes_with_every_picture() -> None:
    found = describe(in_order([*LADDER, AUDIO, audio_rung("audio-96k-opus", 96_000, Codec.OPUS)]))
    assert len(found.variants) == 6
    assert {variant.audio for variant in found.variants} == {"audio-aac", "audio-opus-96k"}


def test_one_picture_goes_with_every_sound() -> None:
    found = describe([VIDEO, AUDIO, audio_rung("audio-64k", 64_000)])
    assert [variant.audio for variant in found.variants] == ["audio-aac", "audio-aac-64k"]
