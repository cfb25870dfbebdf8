"""What the watch asks for, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from tests.doctor_kit import GOOD, URL, WATCH_S, WINDOW_S, Fault, Server
from tests.virtual_time import run

from headwater.loadtest.doctor import watch as module
from headwater.loadtest.doctor.values import Answer, Ask, FileKind, Recording, RenditionRecord, Version
from headwater.loadtest.doctor.watch import Options, Watch, keys_of
from headwater.origin.hls.reader import read


def follow(fault: Fault = GOOD, options: Options | None = None) -> tuple[Recording, Server]:
    server = Server(fault)

    async def main() -> Recording:
        watch = Watch(server, URL, options or Options(WATCH_S))
        assert await watch.open()
        await watch.follow()
        return watch.recording

    return run(main()), server


def test_every_part_is_asked_for_once_and_by_its_hint() -> None:
    recording, server = follow()
    source = recording.renditions[0]
    again = {file.first.key[0] for file in source.again}
    asked = Counter(a.ask.url for a in server.asked if not a.is_playlist)
    assert {count for url, count in asked.items() if url not in again and "source" in url} == {1}
    parts = source.files_of(FileKind.PART)
    assert sum(part.hinted for part in parts) > 7
    assert len(source.files_of(FileKind.SEGMENT)) >= 2
    assert len(source.files_of(FileKind.INIT)) == 2
    assert all(version.satisfied for version in source.versions)
    assert source.last is not None
    assert {part.key for part in parts if part.hinted} <= set(keys_of(source.url, source.last))


def test_fewer_renditions() -> None:
    recording, server = follow(options=Options(WATCH_S, renditions=1))
    assert [record.name for record in recording.renditions] == ["source"]
    assert not [asked for asked in server.asked if asked.rendition == "audio"]
    assert recording.notes == ["1 more media playlists were not followed (--renditions)"]


def test_a_server_that_does_not_wait_is_not_stormed() -> None:
    from headwater.origin.hls.directives import Serve

    _, server = follow(Fault(set(), decide=lambda asked, decision: Serve(False)))
    asked = [a for a in server.asked if a.path == "source/index.m3u8"]
    assert len(asked) < 3 * WATCH_S / 0.5


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXT_BYTES", 30_000)
    monkeypatch.setattr(module, "MAX_MEDIA_BYTES", 100_000)
    recording, _ = follow()
    assert "not all media was downloaded: the bound of bytes was reached" in recording.notes
    assert any("not followed to the end" in note for note in recording.notes)
    assert sum(file.size for record in recording.renditions for file in record.files.values()) < 400_000


def test_the_segment_that_left_last_is_asked_for_and_not_what_left_long_before() -> None:
    record = RenditionRecord("v", "http://h/v.m3u8")
    for first in (100, 101, 105, 105):
        segments = "".join(f"#EXTINF:2,\ns{msn}.m4s\n" for msn in range(first, first + 3))
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}"
        record.versions.append(Version(Answer(Ask(record.url), 200), text, read(text), ""))
    assert record.last is not None
    listed = set(keys_of(record.url, record.last))
    assert [file.key[0] for file in module._slid_out(record, listed)] == ["http://h/s103.m4s"]
    record.versions = record.versions[2:]
    assert module._slid_out(record, listed) == []


def test_what_was_not_followed_to_the_end_is_not_asked_for_again() -> None:
    """It may be gone by right."""

    async def main() -> tuple[int, int]:
        watch = Watch(Server(GOOD), URL, Options(WATCH_S))
        assert await watch.open()
        await watch.follow()
        record = watch.recording.renditions[0]
        before = len(record.again)
        await asyncio.sleep(WINDOW_S)
        await watch._ask_again(record)
        return before, len(record.again)

    before, after = run(main())
    assert before == after > 0


def test_a_stream_that_ends() -> None:
    recording, _ = follow(Fault(set(), text=lambda asked, text: text + "#EXT-X-ENDLIST\n"))
    assert len(recording.renditions[0].versions) == 1
    assert recording.ended - recording.began < 1
