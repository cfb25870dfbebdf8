"""[ingest.encode]: what may be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headwater.config.load import ConfigError, load
from headwater.config.settings import Settings
from headwater.config.settings_encode import HARDWARE, PRESETS, PROFILES, SOFTWARE, Encode, encoders_of

FULL = """
[ingest.encode]
enabled = true
long_gop = "keep-source"

[[ingest.encode.rungs]]
height = 720
bitrate = 3_000_000
fps = 30

[[ingest.encode.rungs]]
height = 720
codec = "hevc"

[[ingest.encode.audio]]
bitrate = 64_000

[[ingest.encode.stream]]
application = "cams"
list_source = false
rungs = [{ height = 360 }]

[[ingest.encode.stream]]
name = "cam-*"
application = "cams"
thumbnails = { interval_s = 1, width = 160 }

[[ingest.encode.stream]]
name = "cam-9"
enabled = false

[[ingest.encode.stream.audio]]
bitrate = 96_000
codec = "opus"
"""


def read(tmp_path: Path, text: str) -> Encode:
    file = tmp_path / "h.toml"
    file.write_text(text)
    return load(file, {}).settings.ingest.encode


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    return [str(problem).partition(": ")[2] for problem in raised.value.problems]


def test_off_unless_asked_for() -> None:
    settings = Settings().ingest.encode
    assert not settings.enabled
    assert (settings.rungs, settings.audio, settings.stream) == ((), (), ())


def test_a_whole_ladder(tmp_path: Path) -> None:
    settings = read(tmp_path, FULL)
    assert [rung.rendition for rung in settings.rungs] == ["720p", "720p-hevc"]
    assert [rendition.rendition for rendition in settings.audio] == ["audio-64k"]
    assert settings.stream[2].audio is not None
    assert settings.stream[2].audio[0].rendition == "audio-96k-opus"


def test_overrides_by_name_and_application_the_later_wins(tmp_path: Path) -> None:
    settings = read(tmp_path, FULL)
    plain = settings.for_stream("news", "live")
    assert plain == settings.model_copy(update={"stream": ()})
    other = settings.for_stream("news", "cams")
    assert (other.list_source, [rung.rendition for rung in other.rungs]) == (False, ["360p"])
    assert other.thumbnails == settings.thumbnails
    camera = settings.for_stream("cam-1", "cams")
    assert (camera.enabled, camera.list_source, camera.thumbnails.width) == (True, False, 160)
    assert camera.long_gop == "keep-source"
    last = settings.for_stream("cam-9", "live")
    assert (last.enabled, last.list_source) == (False, True)
    assert [rendition.rendition for rendition in last.audio] == ["audio-96k-opus"]
    assert last.stream == ()


def test_an_empty_list_takes_away(tmp_path: Path) -> None:
    settings = read(tmp_path, FULL + '[[ingest.encode.stream]]\nname = "x"\nrungs = []\naudio = []\n')
    assert (settings.for_stream("x").rungs, settings.for_stream("x").audio) == ((), ())


def test_thumbnails_are_off_at_zero() -> None:
    assert Encode().thumbnails.enabled
    assert not Encode.model_validate({"thumbnails": {"interval_s": 0}}).thumbnails.enabled
    assert not Encode.model_validate({"thumbnails": {"width": 0}}).thumbnails.enabled


@pytest.mark.parametrize(
    ("rung", "reason"),
    [
        ("height = 721", "rungs[0].height = 721: not a multiple of 2"),
        ("height = 8000", "rungs[0].height = 8000: above the greatest value, 2160"),
        ("name = 'x'", "rungs[0].height: missing"),
        ("height = 720, hight = 3", "rungs[0].hight = 3: unknown key; did you mean height?"),
        (
            "height = 720, encoder = 'libx265'",
            'rungs[0].encoder = "libx265": does not make h264; h264_nvenc and h264_qsv and libx264 do',
        ),
        ("height = 720, encoder = 'x264'", "rungs[0].encoder"),
        ("height = 720, encoder = 'libx264', preset = 'p4'", 'rungs[0].preset = "p4": no preset of libx264: ultrafast'),
        ("height = 720, codec = 'av1', preset = 'fast'", "rungs[0].preset"),
        ("height = 720, profile = 'high10'", 'rungs[0].profile = "high10": not one of baseline, main, high'),
        (
            "height = 720, bitrate = 2_000_000, maxrate = 1_000_000",
            "rungs[0].maxrate = 1000000: below `bitrate`, 2000000",
        ),
        ("height = 720, name = 'source'", 'rungs[0].name = "source": source is the name of a rendition of the source'),
        ("height = 720, name = 'audio-2'", "rungs[0].name"),
        ("height = 720, name = '../x'", "rungs[0].name"),
        ("height = 720, fps = 500", "rungs[0].fps = 500: above the greatest value, 60"),
        ("height = 720}, {height = 720", "rungs[0].name: 2 renditions would be called 720p: give each a name"),
    ],
)
def test_rungs_that_cannot_be(tmp_path: Path, rung: str, reason: str) -> None:
    found = problems(tmp_path, f"[ingest.encode]\nrungs = [{{{rung}}}]\n")
    assert found[0].startswith(f"ingest.encode.{reason}"), found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("audio = [{codec = 'opus', sample_rate = 44100}]", "audio[0].sample_rate = 44100: Opus in MP4 is always"),
        ("audio = [{codec = 'opus', channels = 6}]", "audio[0].channels = 6: Opus has one or two here"),
        ("audio = [{channels = 5}]", "audio[0].channels = 5: not one of 1, 2 or 6"),
        ("audio = [{codec = 'mp3'}]", 'audio[0].codec = "mp3": not one of'),
        ("audio = [{}, {}]", "audio[0].name: 2 renditions would be called audio-128k"),
        ("rungs = [{height = 360, name = 'low'}]\naudio = [{name = 'low'}]", 'rungs[0].name = "low": 2 renditions'),
        ("rungs = [" + "{height = 720}," * 9 + "]", "rungs"),
        ("overload = { step_up_speed = 0.9 }", "overload.step_up_speed = 0.9: not above `step_down_speed`, 1"),
        ("overload = { max_lag_s = 0.5 }", "overload.step_down_lag_s = 0.75: not below `max_lag_s`, 0.5 s"),
        ("overload = { step_up_after_max_s = 1 }", "overload.step_up_after_max_s = 1: below `step_up_after_s`, 10 s"),
        ("worker = { restart_max_s = 0.01 }", "worker.restart_min_s = 0.1: above `restart_max_s`, 0.01 s"),
        ("stream = [{ name = 'a/b' }]", 'stream[0].name = "a/b": does not match'),
        ("stream = [{ rungs = [{ hight = 1, height = 720 }] }]", "stream[0].rungs[0].hight = 1: unknown key; did you"),
        ("stream = [{ rungs = [{ height = 720 }, { height = 720 }] }]", "stream[0].rungs[0].name: 2 renditions"),
        (
            "stream = [{ thumbnails = { widht = 1 } }]",
            "stream[0].thumbnails.widht = 1: unknown key; did you mean width",
        ),
        ("long_gop = 'x'", 'long_gop = "x": not one of'),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, text: str, reason: str) -> None:
    found = problems(tmp_path, f"[ingest.encode]\n{text}\n")
    assert found[0].startswith(f"ingest.encode.{reason}"), found


def test_by_environment_and_flag() -> None:
    loaded = load(
        None,
        {"HEADWATER_INGEST__ENCODE__RUNGS": "[{ height = 360, codec = 'av1' }]"},
        [("ingest.encode.enabled", "yes"), ("ingest.encode.thumbnails.interval_s", "0")],
    )
    settings = loaded.settings.ingest.encode
    assert settings.enabled
    assert settings.rungs[0].rendition == "360p-av1"
    assert not settings.thumbnails.enabled


@pytest.mark.parametrize("codec", SOFTWARE)
def test_every_encoder_has_presets_and_every_codec_profiles(codec: str) -> None:
    assert encoders_of(codec)[-1] == SOFTWARE[codec]
    assert encoders_of(codec)[:-1] == HARDWARE[codec]
    assert all(PRESETS[encoder] for encoder in encoders_of(codec))
    assert PROFILES[codec]


def test_children_get_it_whole(tmp_path: Path) -> None:
    from headwater.config.load import from_handover, handover

    document: Any = {"ingest": {"encode": read(tmp_path, FULL).model_dump(mode="json")}}
    settings = Settings.model_validate(document)
    assert from_handover(handover(settings)) == settings
