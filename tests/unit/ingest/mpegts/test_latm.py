from __future__ import annotations

import pytest

from headwater.ingest.codecs import BadConfig, audio_track
from headwater.ingest.media import Codec, TrackId
from headwater.ingest.mpegts.framing import MORE
from headwater.ingest.mpegts.latm import LatmFraming

LC_48K_STEREO = f"{2:05b}{3:04b}{2:04b}000"
SBR_EXPLICIT = f"{5:05b}{6:04b}{2:04b}{3:04b}{2:05b}000"
"""HE-AAC, signalled in the hierarchical way: core at 24 kHz, output at 48 kHz."""
AAC = bytes(range(200, 240))


def frame(bits: str) -> bytes:
    """An AudioSyncStream frame around these bits."""
    size = -(-len(bits) // 8)
    return (0x56E000 | size).to_bytes(3) + int(bits.ljust(size * 8, "0"), 2).to_bytes(size)


def config(asc: str = LC_48K_STEREO, *, version: int = 0, frames: int = 1, tail: str = "0" + "0") -> str:
    """useSameStreamMux 0 and a StreamMuxConfig; `tail`: other data, CRC."""
    head = "0" + f"{version}" + ("0" + "00" + f"{255:08b}" if version else "")
    length = f"00{len(asc):08b}" if version else ""
    return head + "1" + f"{frames - 1:06b}" + "0000" + "000" + length + asc + "000" + f"{255:08b}" + tail


def payload(data: bytes = AAC) -> str:
    lengths = "1" * 8 * (len(data) // 255) + f"{len(data) % 255:08b}"
    return lengths + "".join(f"{byte:08b}" for byte in data)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("asc", [LC_48K_STEREO, SBR_EXPLICIT])
def test_frames(version: int, asc: str) -> None:
    framing = LatmFraming()
    data = frame(config(asc, version=version) + payload())
    assert framing.size(b"x" + data + b"y", 1) == len(data)
    (unit,) = framing.read(data)
    assert unit.payload == AAC
    track = audio_track(TrackId("a0"), Codec.AAC, unit.config())
    assert (track.sample_rate, track.channels) == (48_000, 2)
    (again,) = framing.read(frame("1" + payload(AAC * 20)))
    assert (again.payload, again.mark) == (AAC * 20, unit.mark)


def test_several_frames_in_an_element() -> None:
    units = LatmFraming().read(frame(config(frames=3) + payload() + payload(b"") + payload(b"abc")))
    assert [unit.payload for unit in units] == [AAC, b"abc"]


@pytest.mark.parametrize(
    ("version", "tail"),
    [
        (0, "1" + "0" + f"{7:08b}" + "0"),
        (0, "1" + "1" + f"{0:08b}" + "0" + f"{7:08b}" + "0"),
        (1, "1" + "00" + f"{7:08b}" + "0"),
        (0, "0" + "1" + f"{0x5A:08b}"),
    ],
)
def test_other_data_and_crc(version: int, tail: str) -> None:
    (unit,) = LatmFraming().read(frame(config(version=version, tail=tail) + payload()))
    assert unit.payload == AAC


def test_frames_before_the_configuration_give_nothing() -> None:
    framing = LatmFraming()
    assert framing.read(frame("1" + payload())) == []
    assert len(framing.read(frame(config() + payload()))) == 1


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0" + "11", "audioMuxVersionA"),
        ("0" + "00", "time framing"),
        ("0" + "0" + "1" + "000000" + "0001", "programs or layers"),
        ("0" + "0" + "1" + "000000" + "0000" + "001", "programs or layers"),
        ("0" + "0" + "1" + "000000" + "0000000" + LC_48K_STEREO + "001", "fixed length"),
        ("0" + "0" + "1" + "000000" + "0000000" + f"{36 - 32:06b}", "truncated"),
        ("0" + "0" + "1" + "000000" + "0000000" + "11111" + "000000" + "0" * 30, "object type 32"),
        (config() + "11111111" * 4, "truncated"),
        (config(SBR_EXPLICIT, version=1)[:60], "truncated"),
    ],
)
def test_what_is_refused(bits: str, text: str) -> None:
    framing = LatmFraming()
    with pytest.raises(BadConfig, match=text):
        framing.read(frame(bits))


def test_a_broken_configuration_ends_the_old_one() -> None:
    framing = LatmFraming()
    framing.read(frame(config() + payload()))
    with pytest.raises(BadConfig):
        framing.read(frame("0" + "00"))
    assert framing.read(frame("1" + payload())) == []


def test_what_is_no_frame() -> None:
    framing = LatmFraming()
    assert framing.size(b"\x56\xe0", 0) == MORE
    assert framing.size(b"\x56\xe0\x00", 0) == framing.size(b"\x57\xe0\x10", 0) == framing.size(b"\x56\xc0\x10", 0) == 0
