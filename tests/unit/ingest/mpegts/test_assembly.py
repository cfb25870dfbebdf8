from __future__ import annotations

import pytest
from tests.ts_kit import TsWriter, pat, pes

from headwater.ingest.mpegts.assembly import NEVER, PesChannel, SectionChannel
from headwater.ingest.mpegts.events import Counters

PID = 0x100
START, ERROR = 0x400000, 0x800000


class Reader:
    """Notes what it is given: (first bytes, size, whole)."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, int, bool]] = []
        self.losses = 0
        self.ends = 0

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        self.got.append((data[:1], len(data), whole))

    def lost(self) -> None:
        self.losses += 1

    def end(self) -> None:
        self.ends += 1


class Case:
    """One PID: packets are looked at one by one, as far as they are not expected."""

    def __init__(self, limit: int = 100_000) -> None:
        self.counters = Counters()
        self.reader = Reader()
        self.refused = 0
        self.channel = PesChannel(self.counters, self.reader, limit, self._refuse)
        self.writer = TsWriter()

    def _refuse(self) -> None:
        self.refused += 1

    def send(self, data: bytes) -> list[tuple[bytes, int, bool]]:
        for at in range(0, len(data), 188):
            head = int.from_bytes(data[at : at + 4])
            if head == self.channel.expected:
                # What `demux` does with a packet that it need not look at.
                self.channel.pieces.append(data[at + 4 : at + 188])
                self.channel.left -= 184
                self.channel.expected = head - 15 if head & 15 == 15 else head + 1
                if self.channel.left <= 0:
                    self.channel.full()
            else:
                self.channel.packet(head, data, at)
        got, self.reader.got = self.reader.got, []
        return got


def test_the_end_of_an_open_packet_is_seen_early() -> None:
    case = Case()
    assert case.send(case.writer.pes(PID, pes(b"a" * 1_000, 5))) == [(b"a", 1_000, True)]
    assert case.send(case.writer.pes(PID, pes(b"b" * 20, 5), pcr=9)) == [(b"b", 20, True)]
    # 14 bytes of header and 170 fill a packet: nothing is stuffed, so the next one shows the end.
    assert case.send(case.writer.pes(PID, pes(b"c" * 170, 5))) == []
    assert case.send(case.writer.pes(PID, pes(b"d" * 20, 5))) == [(b"c", 170, True), (b"d", 20, True)]
    assert case.counters == Counters()


def test_a_length_ends_a_packet() -> None:
    case = Case()
    exact = pes(b"a" * (184 * 3 - 14), 5, stream_id=0xC0)
    assert case.send(case.writer.pes(PID, exact)) == [(b"a", 184 * 3 - 14, True)]
    assert case.send(case.writer.pes(PID, pes(b"b" * 10, 5, stream_id=0xC0))) == [(b"b", 10, True)]
    # What is behind the length is not part of it.
    short = pes(b"c" * 300, 5, stream_id=0xC0, length=108)
    assert case.send(case.writer.pes(PID, short)) == [(b"c", 100, True)]
    assert case.counters == Counters()


def test_a_length_that_is_too_long_is_not_believed() -> None:
    case = Case()
    assert case.send(case.writer.pes(PID, pes(b"a" * 300, 5, stream_id=0xC0, length=900))) == []
    assert case.send(case.writer.pes(PID, pes(b"b" * 10, 5, stream_id=0xC0))) == [(b"a", 300, True), (b"b", 10, True)]
    assert case.counters.malformed == 1


def test_a_missing_packet_cuts_the_one_at_hand() -> None:
    case = Case()
    data = case.writer.pes(PID, pes(b"a" * 1_000, 5))
    assert case.send(data[: 188 * 3] + data[188 * 4 :]) == [(b"a", 184 * 3 - 14, False)]
    assert (case.counters.discontinuities, case.counters.damaged, case.reader.losses) == (1, 1, 1)
    assert case.send(case.writer.pes(PID, pes(b"b" * 500, 5))) == [(b"b", 500, True)]


def test_a_loss_between_two_is_seen_at_the_second() -> None:
    case = Case()
    case.send(case.writer.pes(PID, pes(b"a" * 1_000, 5)))
    case.writer.pes(PID, pes(b"b" * 100, 5))
    assert case.send(case.writer.pes(PID, pes(b"c" * 100, 5))) == [(b"c", 100, True)]
    assert (case.counters.discontinuities, case.counters.damaged, case.reader.losses) == (1, 0, 1)


@pytest.mark.parametrize("which", range(6))
def test_packets_sent_twice_count_once(which: int) -> None:
    case = Case()
    data = case.writer.pes(PID, pes(bytes(range(200)) * 5, 5))
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    packets.insert(which, packets[which])
    assert case.send(b"".join(packets)) == [(b"\x00", 1_000, True)]
    assert (case.counters.duplicates, case.counters.discontinuities) == (1, 0)
    assert case.send(case.writer.pes(PID, pes(b"b" * 500, 5))) == [(b"b", 500, True)]


def test_the_same_counter_with_another_payload_is_a_loss() -> None:
    case = Case()
    case.send(case.writer.pes(PID, pes(b"a" * 20, 5)))
    case.writer.counters[PID] -= 1
    assert case.send(case.writer.pes(PID, pes(b"b" * 20, 5))) == [(b"b", 20, True)]
    assert (case.counters.duplicates, case.counters.discontinuities) == (0, 1)


def test_an_announced_discontinuity_is_no_error() -> None:
    case = Case()
    case.send(case.writer.pes(PID, pes(b"a" * 20, 5)))
    case.writer.counters[PID] = 9
    assert case.send(case.writer.pes(PID, pes(b"b" * 200, 5), flags=0x80)) == [(b"b", 200, True)]
    # On a packet without payload it counts for the next one.
    case.send(case.writer.packet(PID, b"", flags=0x80))
    case.writer.counters[PID] = 3
    assert case.send(case.writer.pes(PID, pes(b"c" * 200, 5))) == [(b"c", 200, True)]
    assert case.counters == Counters()


def test_packets_without_payload_do_not_count() -> None:
    case = Case()
    data = case.writer.pes(PID, pes(b"a" * 1_000, 5))
    clock = case.writer.packet(PID, b"", pcr=5)
    case.writer = TsWriter()
    first = case.writer.pes(PID, pes(b"a" * 1_000, 5))
    assert first == data
    only_clock = clock[:3] + bytes((clock[3] & 0xF0,)) + clock[4:]
    assert case.send(first[:188] + only_clock + first[188:]) == [(b"a", 1_000, True)]
    assert case.counters == Counters()


@pytest.mark.parametrize("first", [True, False])
def test_an_encoder_that_fills_up_in_the_middle_is_found_out(first: bool) -> None:
    case = Case()
    writer = case.writer

    def send(value: bytes) -> list[tuple[bytes, int, bool]]:
        data = pes(value * 500, 5)
        border = 100 if first else 184 + 100
        pieces = [data[:border]] if first else [data[:184], data[184:border]]
        pieces += [data[at : at + 184] for at in range(border, len(data), 184)]
        return case.send(b"".join(writer.packet(PID, piece, start=not index) for index, piece in enumerate(pieces)))

    assert send(b"a") == [(b"a", 86 if first else 184 + 100 - 14, True)]
    assert case.counters.damaged == 1
    # From now on only the next packet shows the end, when the middle is filled up as well; a later one may be believed.
    assert send(b"b") == ([(b"b", 500, True)] if first else [])
    assert send(b"c")[-1][1:] == (500, True)
    assert case.counters.damaged == 1


def test_an_open_packet_is_bounded() -> None:
    case = Case(limit=2_000)
    assert case.send(case.writer.pes(PID, pes(b"a" * 5_000, 5))) == []
    assert (case.counters.oversized, case.reader.losses, case.channel.pieces) == (1, 1, [])
    assert case.send(case.writer.pes(PID, pes(b"b" * 1_000, 5))) == [(b"b", 1_000, True)]


def test_what_cannot_be_read_is_counted() -> None:
    case = Case()
    assert case.send(case.writer.pes(PID, b"\x00\x00\x02" + bytes(300))) == []
    assert case.counters.malformed == 1
    assert case.send(case.writer.packet(PID, b"\x00\x00\x01", start=True)) == []
    assert case.counters.malformed == 2
    assert case.send(case.writer.packet(PID, b"x" * 20)) == []
    assert case.send(case.writer.pes(PID, pes(b"b", 5))) == [(b"b", 1, True)]


def test_packets_marked_as_damaged_are_left_out() -> None:
    case = Case()
    data = bytearray(case.writer.pes(PID, pes(b"a" * 1_000, 5)))
    data[188 * 2 + 1] |= 0x80
    assert case.send(bytes(data)) == [(b"a", 184 * 2 - 14, False)]
    assert (case.counters.errored, case.counters.discontinuities) == (1, 1)


def test_what_is_scrambled_is_refused() -> None:
    case = Case()
    assert case.send(case.writer.pes(PID, pes(b"a" * 1_000, 5), head=0x80)) == []
    assert case.counters.scrambled == 6
    assert case.refused == 6
    assert case.send(case.writer.pes(PID, pes(b"b" * 100, 5, flags=0x90))) == []
    assert case.refused == 7
    assert case.send(case.writer.pes(PID, pes(b"c" * 100, 5))) == [(b"c", 100, True)]


def test_transport_priority_does_not_matter() -> None:
    case = Case()
    plain = case.writer.pes(PID, pes(b"a" * 1_000, 5))
    data = bytearray(plain)
    data[1] |= 0x20
    assert case.send(bytes(data)) == [(b"a", 1_000, True)]


def test_forget_and_end() -> None:
    case = Case()
    case.send(case.writer.pes(PID, pes(b"a" * 1_000, 5))[: 188 * 3])
    case.channel.forget()
    assert case.send(b"") == [(b"a", 184 * 3 - 14, False)]
    assert case.channel.expected == NEVER
    case.writer.counters[PID] = 7
    case.send(case.writer.pes(PID, pes(b"b" * 170, 5)))
    case.channel.end()
    assert case.send(b"") == [(b"b", 170, True)]
    case.send(case.writer.pes(PID, pes(b"c" * 500, 5, stream_id=0xC0))[:376])
    case.channel.end()
    assert case.send(b"") == [(b"c", 354, False)]
    assert (case.reader.ends, case.counters.discontinuities) == (2, 0)


def test_sections() -> None:
    counters = Counters()
    channel = SectionChannel(counters)
    writer = TsWriter()
    data = writer.section(0, pat()) + writer.section(0, pat([(number, 0x30 + number) for number in range(90)]))
    broken = bytearray(pat())
    broken[-1] ^= 1
    data += writer.section(0, bytes(broken))
    for at in range(0, len(data), 188):
        channel.packet(int.from_bytes(data[at : at + 4]), data, at)
    assert [len(section) for section in channel.sections] == [16, 372]
    assert counters.malformed == 1
    # A packet that is missing takes its section along.
    lost = writer.section(0, pat([(number, 0x30 + number) for number in range(90)]))
    for at in (0, 376):
        channel.packet(int.from_bytes(lost[at : at + 4]), lost, at)
    channel.forget()
    channel.end()
    assert (len(channel.sections), counters.discontinuities) == (2, 1)
