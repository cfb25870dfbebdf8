"""PAT and PMT over time: which program is taken, and when its table changed (ISO/IEC 13818-1 2.4.4). Sans-IO."""

from __future__ import annotations

from headwater.ingest.media import TrackId

from .assembly import Channel, SectionChannel
from .limits import Limits
from .output import Output
from .program import RESERVED, Program
from .sections import Pmt, read_pat, read_pmt


class Programs:
    """The programs of a transport stream, of which one is taken: the first whose table shows media.

    Args:
        channels: PID -> channel of the whole demultiplexer; those of PMTs are put in and taken out.
        program: where the tables of the taken program go.
    """

    def __init__(self, out: Output, limits: Limits, channels: dict[int, Channel], program: Program) -> None:
        self._out = out
        self._limits = limits
        self._channels = channels
        self._program = program
        self._sections: dict[int, bytes] = {}
        """PAT sections of the version at hand, by number."""
        self._version = -1
        self._programs: dict[int, int] = {}
        """Program number -> PID of its PMT."""
        self._taken: int | None = None
        self._tables: dict[int, bytes] = {}
        """Program number -> its PMT section, to pass over repetitions."""

    def take_pat(self, section: bytes) -> None:
        """Take a section of the PAT. Repetitions cost nothing."""
        if self._sections.get(section[6]) == section:
            return
        pat = read_pat(section)
        if pat is None:
            return
        if pat.version != self._version:
            self._version = pat.version
            self._sections = {}
        self._sections[pat.number] = section
        if any(number not in self._sections for number in range(pat.last + 1)):
            return
        programs: dict[int, int] = {}
        for number in range(pat.last + 1):
            part = read_pat(self._sections[number])
            programs.update(part.programs if part is not None else ())
        usable = [(number, pid) for number, pid in programs.items() if pid not in RESERVED]
        self._set_programs(dict(usable[: self._limits.programs]))

    def _set_programs(self, programs: dict[int, int]) -> None:
        if self._taken is not None and self._taken not in programs:
            self._program.close()
            self._taken = None
        before, after = set(self._programs.values()), set(programs.values())
        for pid in before - after:
            if type(self._channels.get(pid)) is SectionChannel:
                del self._channels[pid]
        for pid in after - before:
            # A PMT where a stream was: the table says nothing about that stream any more.
            self._channels[pid] = SectionChannel(self._out.counters)
        self._tables = {
            number: table
            for number, table in self._tables.items()
            if number in programs and programs[number] == self._programs.get(number)
        }
        self._programs = programs

    def take_pmt(self, pid: int, section: bytes) -> None:
        """Take a section from the PID of a PMT. Repetitions cost nothing."""
        number = int.from_bytes(section[3:5])
        if self._programs.get(number) != pid or self._tables.get(number) == section:
            return
        pmt = read_pmt(section)
        if pmt is None:
            return
        self._tables[number] = section
        if self._taken is None and (Program.has_media(pmt) or len(self._programs) == 1):
            self._taken = number
            for other, table in self._tables.items():
                self._refuse(other, read_pmt(table))
        if number == self._taken:
            self._program.update(pmt, RESERVED | set(self._programs.values()))
        elif self._taken is not None:
            self._refuse(number, pmt)

    def _refuse(self, number: int, pmt: Pmt | None) -> None:
        """Say that a program with media is not taken."""
        if number != self._taken and pmt is not None and Program.has_media(pmt):
            reason = f"of several programs only the first with media is taken, which is {self._taken}"
            self._out.refuse(TrackId(f"program-{number}"), "mpegts", reason)
