"""FLV comes apart the same in any pieces."""

import pytest

from headwater.loadtest.publish.flv import BadFlv, Tag, TagKind, TagSplitter

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"


def tag(kind: int, timestamp: int, payload: bytes) -> bytes:
    head = bytes((kind,)) + len(payload).to_bytes(3, "big")
    head += (timestamp & 0xFFFFFF).to_bytes(3, "big") + bytes((timestamp >> 24,)) + bytes(3)
    return head + payload + (11 + len(payload)).to_bytes(4, "big")


FILE = HEADER + tag(9, 0, b"\x17\x00") + tag(8, 0x01020304, b"\xaf\x01x") + tag(18, 7, b"")
TAGS = [Tag(TagKind.VIDEO, 0, b"\x17\x00"), Tag(TagKind.AUDIO, 0x01020304, b"\xaf\x01x"), Tag(TagKind.SCRIPT, 7, b"")]


def test_whole() -> None:
    assert TagSplitter().feed(FILE) == TAGS


@pytest.mark.parametrize("size", [1, 2, 7, 13])
def test_in_pieces(size: int) -> None:
    splitter = TagSplitter()
    found = [one for at in range(0, len(FILE), size) for one in splitter.feed(FILE[at : at + size])]
    assert found == TAGS


@pytest.mark.parametrize("data", [b"MP4" + HEADER[3:], HEADER + tag(3, 0, b"")])
def test_not_flv(data: bytes) -> None:
    with pytest.raises(BadFlv):
        TagSplitter().feed(data)
