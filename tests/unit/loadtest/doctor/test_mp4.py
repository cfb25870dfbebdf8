"""The doctor's reader of fMP4 against the project's writer, and against bytes that lie."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from tests.doctor_kit import tape
from tests.mp4 import samples

from headwater.loadtest.doctor import mp4
from headwater.loadtest.doctor.looks import Access, Form


def files(pattern: str) -> list[bytes]:
    return [data for name, (_, data) in tape().files.items() if name.startswith(pattern)]


def test_reads_what_the_packager_writes() -> None:
    init = mp4.init(files("source/init")[0])
    assert init is not None
    assert (init.problems, len(init.tracks)) == ((), 1)
    track = init.tracks[0]
    assert (track.kind, track.entry, track.codec, track.timescale) == ("vide", "avc1", "avc1.64001f", 90_000)
    assert (track.width, track.height, track.nal_length) == (1_280, 720, 4)
    for data in files("source/s")[:3]:
        look = mp4.look(data, init)
        assert (look.form, look.error) == (Form.FMP4, "")
        mine = [sample for fragment in look.fragments for sample in fragment.samples]
        theirs = samples(data)
        assert [(s.dts, s.pts, s.duration, s.size, s.sync) for s in mine] == [
            (s.dts, s.pts, s.duration, len(s.payload), s.sync) for s in theirs
        ]
        assert [s.access for s in mine[:2]] == [Access.KEY, Access.NONE]
        assert [f.end for f in look.fragments[:-1]] == [f.start for f in look.fragments[1:]]


def test_audio_is_all_random_access() -> None:
    init = mp4.init(files("audio/init")[0])
    assert init is not None
    assert init.tracks[0].codec == "mp4a.40.2"
    look = mp4.look(files("audio/p")[0], init)
    assert {s.access for f in look.fragments for s in f.samples} == {Access.KEY}


def test_without_an_init_section() -> None:
    look = mp4.look(files("source/p")[0], None)
    assert look.error == ""
    assert look.fragments[0].samples[0].access is Access.UNKNOWN


def test_forms() -> None:
    ts = (b"\x47" + bytes(187)) * 3
    assert mp4.form(ts) is Form.TS
    assert mp4.form(b"ID3\4") is Form.PACKED
    assert mp4.form(b"\xff\xf1\x50") is Form.PACKED
    assert mp4.form(b"\xef\xbb\xbfWEBVTT\n") is Form.VTT
    assert mp4.form(b"<html>") is Form.OTHER
    assert mp4.form(b"") is Form.OTHER
    assert mp4.look(ts, None).fragments == ()
    assert mp4.init(b"<html>") is None


def test_what_is_missing_is_said() -> None:
    whole = files("source/init")[0]
    for name in (b"mvex", b"moov", b"trak"):
        init = mp4.init(whole.replace(name, b"free"))
        assert init is not None
        assert any(name.decode() in problem for problem in init.problems)
    init = mp4.init(whole.replace(b"ftyp", b"free"))
    assert init is not None
    assert init.problems == ("it does not begin with ftyp",)


def test_cut_off_files_are_errors() -> None:
    data = files("source/p")[0]
    for length in (9, 50, 100, len(data) - 1):
        assert mp4.look(data[:length], None).error
    assert mp4.look(data[: struct.unpack_from(">I", data)[0]], None).error in ("no moof", "a moof without its mdat")


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    mp4.look(b"\0\0\0\x08moof" + data, None)
    mp4.look(data, None)
    mp4.init(b"\0\0\0\x08ftyp" + data)


@given(st.data())
def test_changed_bytes(data: st.DataObject) -> None:
    """One byte of a real file is another."""
    kind = data.draw(st.sampled_from(["source/init", "source/p", "audio/p"]))
    whole = bytearray(files(kind)[0])
    at = data.draw(st.integers(0, min(len(whole), 900) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    init = mp4.init(files("source/init")[0])
    mp4.init(bytes(whole))
    mp4.look(bytes(whole), init)
