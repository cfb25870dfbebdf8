from __future__ import annotations

from tests.doctor_records import media, rendition, version

from headwater.loadtest.doctor.values import has_parts, holds, key_of, low_latency
from headwater.origin.hls import reader
from headwater.origin.hls.model import ByteRange


def test_holds() -> None:
    playlist = reader.read(media(8, first=100, parts=4, opened=2))
    assert holds(playlist, None, None)
    assert holds(playlist, 107, None)
    assert holds(playlist, 108, 1)
    assert not holds(playlist, 108, 2)
    assert not holds(playlist, 108, None)
    assert holds(reader.read(media(tail="#EXT-X-ENDLIST")), 999, 0)


def test_versions() -> None:
    assert version(media(parts=4, opened=2), msn=108, part=1).satisfied
    assert not version("nonsense", msn=108).satisfied
    record = rendition(media(first=100), media(first=50), media(first=101))
    assert [v.playlist.media_sequence for v in record.steady if v.playlist] == [100, 101]
    assert record.last is record.playlists[-1]


def test_kinds() -> None:
    assert low_latency([rendition(media(parts=4))])
    assert not low_latency([rendition(media())])
    assert not has_parts(reader.read(media()))
    assert key_of("u", ByteRange(5, 10)) == ("u", 10, 5)
    assert key_of("u", None) == ("u", 0, 0)
