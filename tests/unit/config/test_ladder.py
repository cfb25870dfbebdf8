"""The ladder of a source, as a text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from headwater.config.ladder import Source, deliverable, outlook, parse_source
from headwater.config.settings_encode import Encode
from headwater.ingest.encode.cost import Machine, Measured
from headwater.ingest.media import Codec

MACHINE = Machine(
    cores=2,
    encoders=frozenset({"libx264", "libx265", "libsvtav1", "aac", "libopus"}),
    refused={"h264_nvenc": "Operation not permitted"},
    measured=Measured(400, 900, {"libx264": 90}),
)


def told(source: str, settings: dict[str, object], machine: Machine = MACHINE, stream: str = "news") -> str:
    return outlook(Encode.model_validate(settings), parse_source(source), machine, stream, "live").text


def test_a_source_in_words() -> None:
    source = parse_source("1280x720@59.94:hevc+aac+ac3")
    video = source.video
    assert video is not None
    assert (video.width, video.height, video.codec, video.frame_rate) == (1280, 720, Codec.HEVC, Fraction(5994, 100))
    assert [(name, track.codec) for name, track, _ in source.audio] == [("audio", "aac"), ("audio-2", "ac3")]
    assert [fine for _, _, fine in source.audio] == [True, True]


def test_a_short_source() -> None:
    source = parse_source("640x360")
    assert source.video is not None
    assert (source.video.codec, source.video.frame_rate) == (Codec.H264, None)
    assert [track.codec for _, track, _ in source.audio] == [Codec.AAC]
    assert not parse_source("640x360:av1").audio
    rate = parse_source("640x360@30000/1001").video
    assert rate is not None
    assert rate.frame_rate == Fraction(30_000, 1_001)


@pytest.mark.parametrize(
    "text",
    [
        "", "1080p", "1920x", "x1080", "1920x1080@", "1920x1080@x", "1920x1080@1/0", "1920x1080@0", "1920x1080@5000",
        "1920x1080:", "1920x1080:vhs", "1920x1080:aac", "1920x1080:h264+hevc", "0x0", "-5x100", "99999x100",
    ],
)  # fmt: skip
def test_texts_that_are_no_source(text: str) -> None:
    with pytest.raises(ValueError, match=r"not WIDTHxHEIGHT|comes first|out of range"):
        parse_source(text)


def test_what_players_cannot_get() -> None:
    (_, track, fine), *_ = parse_source("640x360:h264+mp3").audio
    assert not fine
    assert not deliverable(track)


def test_the_table() -> None:
    text = told("1920x1080@30", {"enabled": True})
    assert text.startswith('Stream "news" of application "live" from 1920x1080 h264 at 30 frames per second, aac')
    lines = [line.split() for line in text.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == ["rendition", "source", "720p", "480p", "360p", "audio"]
    assert lines[1] == ["source", "1920x1080", "h264", "30", "as", "it", "came", "0.16", "to", "decode"]
    assert lines[2] == [
        "720p", "1280x720", "h264", "30", "libx264", "veryfast", "high", "2.80M", "3.22M", "in", "0.87", "s", "0.38",
    ]  # fmt: skip
    assert "It fits: the ladder needs about 0.91 cores; 1.80 of 2 are free for it." in text
    assert "Pictures: every 5 s, 320 pixels wide." in text
    assert "in this order: the encoders search less; the encoders search least; half the frame rate; without" in text
    assert "Do not open on this machine: h264_nvenc (Operation not permitted)." in text


def test_a_ladder_that_is_off_is_shown_as_it_would_be() -> None:
    text = told("1920x1080@30", {})
    assert "no ladder: ingest.encode.enabled is false for it. With true it would be" in text
    assert "720p" in text


def test_overrides_of_the_stream_count() -> None:
    settings = {
        "enabled": True,
        "stream": [{"name": "cam-*", "rungs": [{"height": 360}], "audio": [{"bitrate": 64_000}], "list_source": False}],
    }
    text = told("1920x1080@60", settings, stream="cam-1")
    names = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert names == ["rendition", "source", "360p", "audio", "audio-64k"]
    assert "not offered" in text
    assert "aac from audio" in text


def test_notes_are_sentences() -> None:
    text = told("640x360@120", {"enabled": True, "rungs": [{"height": 720}, {"height": 360, "encoder": "h264_nvenc"}]})
    assert "Note: 720p: left out, the source is only 640x360." in text
    assert "Note: 360p: h264_nvenc does not open on this machine: libx264 instead." in text
    assert "Note: the source has 120 frames per second: the ladder has 60 frames per second." in text


@pytest.mark.parametrize(("choice", "word"), [("warn", "Warning"), ("refuse", "Refused")])
def test_a_ladder_that_is_too_much(choice: str, word: str) -> None:
    settings = Encode.model_validate(
        {"enabled": True, "refuse_over_capacity": choice, "rungs": [{"height": 1080, "preset": "medium"}]}
    )
    found = outlook(settings, parse_source("1920x1080@60"), MACHINE, "news", "live")
    assert found.refused is (choice == "refuse")
    assert f"{word}: the ladder needs about " in found.text


def test_a_machine_that_could_not_be_measured() -> None:
    text = told("1920x1080@30", {"enabled": True}, Machine(2, MACHINE.encoders, problem="the probe ended early"))
    assert "Warning: the probe ended early." in text
    assert "fits" not in text


def test_a_source_that_is_turned_and_one_without_video() -> None:
    plain = parse_source("1920x1080@30")
    text = outlook(Encode(enabled=True), Source(plain.tracks, 90), MACHINE, "news", "live").text
    assert "1920x1080 (shown as 1080x1920) h264" in text
    assert "720x1280" in text
    only_audio = Source(tuple(track for _, track, _ in parse_source("640x360:h264+mp3").audio))
    text = outlook(Encode(enabled=True), only_audio, MACHINE, "news", "live").text
    assert "audio-128k" in text
    assert "Long" not in text
