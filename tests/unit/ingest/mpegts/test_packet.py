from __future__ import annotations

import random
from array import array

import pytest
from tests.ts_kit import TsWriter

from headwater.ingest.mpegts.packet import Framer, continued, headers, payloads, read_adaptation


def packets(count: int, seed: int = 1) -> list[bytes]:
    """Packets of random content without another sync byte, so that only right places are found."""
    dice = random.Random(seed)
    return [b"G" + bytes(dice.randrange(0x48, 0x100) for _ in range(187)) for _ in range(count)]


def fed(data: bytes, step: int) -> tuple[bytes, int]:
    framer = Framer()
    out = b"".join(run for at in range(0, len(data), step) for run in framer.feed(data[at : at + step]))
    return out, framer.skipped_bytes


@pytest.mark.parametrize("step", [1, 7, 188, 500, 1_316, 100_000])
@pytest.mark.parametrize(("before", "behind"), [(0, 0), (4, 0), (0, 16)])
def test_every_size_of_packet_is_found(step: int, before: int, behind: int) -> None:
    sent = packets(12)
    data = b"".join(b"\x01" * before + packet + b"\x02" * behind for packet in sent)
    assert fed(data, step) == (b"".join(sent), before)


@pytest.mark.parametrize("step", [1, 200, 100_000])
def test_it_begins_in_the_middle_of_a_packet(step: int) -> None:
    sent = packets(6)
    assert fed(b"".join(sent)[100:], step) == (b"".join(sent[1:]), 88)


@pytest.mark.parametrize("step", [1, 300, 100_000])
def test_garbage_between_packets_is_passed(step: int) -> None:
    sent = packets(12)
    data = b"".join(sent[:5]) + b"\x00garbaGe" + b"".join(sent[5:])
    assert fed(data, step) == (b"".join(sent), 8)


@pytest.mark.parametrize("step", [1, 300, 100_000])
def test_a_damaged_sync_byte_costs_its_packet_only(step: int) -> None:
    sent = packets(10)
    data = b"".join([*sent[:4], b"\x00" + sent[4][1:], *sent[5:]])
    assert fed(data, step) == (b"".join(sent[:4] + sent[5:]), 188)


@pytest.mark.parametrize("step", [1, 300, 100_000])
def test_a_packet_that_is_cut_short_is_lost_alone(step: int) -> None:
    sent = packets(10)
    data = b"".join([*sent[:4], sent[4][:100], *sent[5:]])
    out, skipped = fed(data, step)
    # It was taken for whole up to where the next one begins; the packet that is half of both cannot be told.
    assert out[: 4 * 188] == b"".join(sent[:4])
    assert out[-4 * 188 :] == b"".join(sent[6:])
    assert skipped <= 2 * 188


def test_noise_gives_nothing_and_is_not_kept() -> None:
    framer = Framer()
    noise = random.Random(3).randbytes(200_000)
    assert sum(len(run) for at in range(0, len(noise), 1_316) for run in framer.feed(noise[at : at + 1_316])) < 2_000
    assert len(framer._tail) < 3 * 204


def test_after_a_loss_the_rest_of_a_packet_is_dropped() -> None:
    framer = Framer()
    sent = packets(6)
    assert framer.feed(sent[0] + sent[1] + sent[2] + sent[3][:50]) == [b"".join(sent[:3])]
    framer.lose()
    assert framer.skipped_bytes == 50
    assert b"".join(framer.feed(b"".join(sent[3:]) + b"G" * 21)) == b"".join(sent[3:])


@pytest.mark.parametrize(
    ("length", "flags", "body", "stuffed", "discontinuity", "pcr"),
    [
        (0, 0, b"", True, False, None),
        (1, 0x00, b"", True, False, None),
        (1, 0x40, b"", False, False, None),
        (1, 0x80, b"", False, True, None),
        (7, 0x10, b"\xff\xff\xff\xff\xff\xff", False, False, (1 << 33) - 1),
        (8, 0x10, b"\x00\x00\x00\x01\x00\x00", True, False, 2),
        (13, 0x18, bytes(12), False, False, 0),
        (2, 0x04, b"\x05", False, False, None),
        (4, 0x02, b"\x02ab", False, False, None),
        (5, 0x02, b"\x02ab", True, False, None),
        (3, 0x01, b"\x01\x1f", False, False, None),
        (3, 0x10, b"", False, False, None),
        (200, 0x02, b"\xff", False, False, None),
    ],
)
def test_adaptation(length: int, flags: int, body: bytes, stuffed: bool, discontinuity: bool, pcr: int | None) -> None:
    field = bytes((length, flags)) if length else b"\x00"
    packet = (b"\x47\x01\x00\x30" + field + body).ljust(188, b"\xff")
    found = read_adaptation(b"x" * 188 + packet, 188)
    assert found.end == min(5 + length, 188)
    assert (found.discontinuity, found.pcr) == (discontinuity, pcr)
    if length < 184:
        assert found.stuffed is stuffed


def test_what_the_kit_writes_is_read() -> None:
    packet = TsWriter().packet(0x100, b"abc", start=True, pcr=90_000, flags=0x40)
    found = read_adaptation(packet, 0)
    assert packet[found.end :] == b"abc"
    assert (found.pcr, found.stuffed) == (90_000, True)


def counted(count: int, first: int = 0, pid: int = 0x101) -> list[bytes]:
    """Packets of one PID without adaptation field, the payload of each filled with its number."""
    heads = [0x47000010 | pid << 8 | (first + number) & 15 for number in range(count)]
    return [head.to_bytes(4) + bytes([number & 0xFF]) * 184 for number, head in enumerate(heads)]


def words(packets: list[bytes]) -> array[int]:
    return array("I", b"".join(packets))


def test_headers_are_those_of_every_packet() -> None:
    assert headers(words(counted(9, 12))) == b"".join(packet[:4] for packet in counted(9, 12))
    assert headers(words([])) == b""


def going_on(heads: bytes, most: int) -> int:
    return continued(heads, int.from_bytes(heads[:4]), most)


@pytest.mark.parametrize("first", [0, 7, 15])
@pytest.mark.parametrize("count", [1, 2, 16, 17, 127])
def test_packets_that_go_on_are_counted(first: int, count: int) -> None:
    heads = headers(words(counted(count, first) + counted(1, pid=0x102)))
    assert going_on(heads, count) == count
    assert going_on(heads, count + 1) == count


def test_of_a_long_run_only_a_part_is_counted_at_once() -> None:
    heads = headers(words(counted(300, 5)))
    assert (going_on(heads, 300), going_on(heads[4 * 256 :], 44)) == (128, 44)


@pytest.mark.parametrize("at", [1, 2, 30, 126])
@pytest.mark.parametrize("bit", [1 << bit for bit in range(24)])
def test_every_bit_of_a_header_ends_a_run(at: int, bit: int) -> None:
    heads = bytearray(headers(words(counted(140, 3))))
    heads[4 * at : 4 * at + 4] = (int.from_bytes(heads[4 * at : 4 * at + 4]) ^ bit).to_bytes(4)
    assert going_on(bytes(heads), 140) == at


@pytest.mark.parametrize(("index", "count"), [(0, 1), (4, 1), (0, 5), (1, 3), (3, 2)])
def test_payloads_are_what_stands_behind_the_headers(index: int, count: int) -> None:
    sent = counted(5)
    expected = b"".join(packet[4:] for packet in sent[index : index + count])
    assert payloads(words(sent), index, count) == expected
