from __future__ import annotations

from tests.ts_kit import PMT_PID, pat, pmt

from headwater.ingest.mpegts.assembly import Channel, PesChannel, SectionChannel
from headwater.ingest.mpegts.limits import Limits
from headwater.ingest.mpegts.output import Output
from headwater.ingest.mpegts.program import Program
from headwater.ingest.mpegts.tables import Programs
from headwater.ingest.tracks import TrackRefused

H264, MPEG2 = 0x1B, 0x02


class Case:
    """Tables and the PIDs that are listened to."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.out = Output()
        self.channels: dict[int, Channel] = {0: SectionChannel(self.out.counters)}
        self.programs = Programs(self.out, limits, self.channels, Program(self.out, limits, self.channels))

    def tables(self) -> set[int]:
        return {pid for pid, channel in self.channels.items() if isinstance(channel, SectionChannel)}

    def streams(self) -> set[int]:
        return {pid for pid, channel in self.channels.items() if isinstance(channel, PesChannel)}

    def refused(self) -> list[str]:
        return [str(event.track) for event in self.out.events if isinstance(event, TrackRefused)]


def test_one_program() -> None:
    case = Case()
    case.programs.take_pat(pat())
    assert case.tables() == {0, PMT_PID}
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, [])]))
    assert case.streams() == {0x100}
    channel = case.channels[0x100]
    for _ in range(3):
        case.programs.take_pat(pat())
        case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, [])]))
    assert case.channels[0x100] is channel


def test_versions() -> None:
    case = Case()
    case.programs.take_pat(pat())
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, [])]))
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x110, [])], version=1))
    assert case.streams() == {0x110}
    # Another PID for the same program's table, then another program.
    case.programs.take_pat(pat([(1, 0x30)], version=1))
    assert (case.tables(), case.streams()) == ({0, 0x30}, {0x110})
    case.programs.take_pmt(0x30, pmt([(H264, 0x110, [])], version=1))
    case.programs.take_pat(pat([(2, 0x40)], version=2))
    assert (case.tables(), case.streams()) == ({0, 0x40}, set())
    case.programs.take_pmt(0x40, pmt([(H264, 0x120, [])], program=2))
    assert case.streams() == {0x120}


def test_a_table_counts_on_its_own_pid_only() -> None:
    case = Case()
    case.programs.take_pat(pat())
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, [])], program=2))
    case.programs.take_pmt(0x31, pmt([(H264, 0x100, [])]))
    case.programs.take_pmt(PMT_PID, pat([(1, 0x30)]))
    assert case.streams() == set()


def test_the_first_program_with_media_is_taken_and_the_others_are_said() -> None:
    case = Case()
    case.programs.take_pat(pat([(1, 0x30), (2, 0x40), (3, 0x50), (4, 0x60)]))
    case.programs.take_pmt(0x30, pmt([(MPEG2, 0x100, [])], program=1))
    case.programs.take_pmt(0x40, pmt([(H264, 0x101, [])], program=2))
    case.programs.take_pmt(0x50, pmt([(H264, 0x102, [])], program=3))
    case.programs.take_pmt(0x60, pmt([(0x05, 0x103, [])], program=4))
    case.programs.take_pmt(0x50, pmt([(H264, 0x104, [])], program=3, version=1))
    assert case.streams() == {0x101}
    assert case.refused() == ["program-3"]


def test_one_that_was_there_first_without_media_is_said_when_it_has_some() -> None:
    case = Case()
    case.programs.take_pat(pat([(1, 0x30), (2, 0x40)]))
    case.programs.take_pmt(0x30, pmt([], program=1))
    case.programs.take_pmt(0x40, pmt([(H264, 0x101, [])], program=2))
    assert case.refused() == []
    case.programs.take_pmt(0x30, pmt([(H264, 0x100, [])], program=1, version=1))
    assert case.refused() == ["program-1"]


def test_a_single_program_without_media_says_why() -> None:
    case = Case()
    case.programs.take_pat(pat())
    case.programs.take_pmt(PMT_PID, pmt([(MPEG2, 0x100, [])]))
    assert case.refused() == ["pid-256"]


def test_a_pat_of_several_sections() -> None:
    case = Case()
    case.programs.take_pat(pat([(1, 0x30)], section=(0, 1)))
    assert case.tables() == {0}
    case.programs.take_pat(pat([(2, 0x40)], section=(1, 1)))
    assert case.tables() == {0, 0x30, 0x40}
    case.programs.take_pat(pat([(2, 0x40)], version=1))
    assert case.tables() == {0, 0x40}


def test_bounds_and_reserved_pids() -> None:
    case = Case(Limits(programs=3))
    case.programs.take_pat(pat([(1, 0), (2, 0x1FFF), *((number, 0x30 + number) for number in range(3, 9))]))
    assert case.tables() == {0, 0x33, 0x34, 0x35}
    case.programs.take_pat(pat([], version=1))
    assert case.tables() == {0}


def test_a_table_where_a_stream_was() -> None:
    case = Case()
    case.programs.take_pat(pat())
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, []), (H264, 0x101, [])]))
    case.programs.take_pat(pat([(1, 0x100)], version=1))
    case.programs.take_pmt(0x100, pmt([(H264, 0x101, [])]))
    assert (case.tables(), case.streams()) == ({0, 0x100}, {0x101})
    case.programs.take_pat(pat(version=2))
    case.programs.take_pmt(PMT_PID, pmt([(H264, 0x100, [])]))
    assert (case.tables(), case.streams()) == ({0, PMT_PID}, {0x100})
