"""The demultiplexer: bytes of a transport stream to tracks, packets and cues (ISO/IEC 13818-1). Sans-IO."""

from __future__ import annotations

from array import array

from .assembly import Channel, SectionChannel
from .events import Counters, CueReceived, TsEvent
from .limits import Limits
from .output import Output
from .packet import BODY, CYCLE, SIZE, Framer, continued, headers, payloads
from .program import CueChannel, Program
from .scte35 import splice_time
from .sections import PAT_PID, SPLICE_TABLE
from .tables import Programs

_PACKETS_PER_DATAGRAM = 7
"""Transport packets in an SRT or UDP payload: as many as an Ethernet frame holds."""


class Demuxer:
    """One transport stream. Takes bytes in any pieces, also such that begin in the middle of a packet; never raises.

    Args:
        limits: see `Limits`.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits if limits is not None else Limits()
        self._framer = Framer()
        self._out = Output()
        self._channels: dict[int, Channel] = {PAT_PID: SectionChannel(self._out.counters)}
        self._program = Program(self._out, limits, self._channels)
        self._programs = Programs(self._out, limits, self._channels, self._program)
        self._clock = 0
        """The program's clock by its last PCR; 0 before any."""
        self._now = 0.0

    # -- what comes in -----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes. `now`: monotonic seconds of their arrival."""
        self._now = now
        for block in self._framer.feed(data):
            self._block(block)

    def receive_eof(self, now: float) -> None:
        """Nothing follows: hand on what waited for the next picture. `now`: monotonic seconds."""
        self._now = now
        for channel in list(self._channels.values()):
            channel.now = now
            channel.end()

    def packets_lost(self, now: float, datagrams: int | None = None) -> None:
        """The transport says that bytes are missing here.

        Args:
            now: monotonic seconds.
            datagrams: how many SRT or UDP packets are missing; None: not known. Few enough are found by the continuity
                counters, so that only those streams suffer that lost something.
        """
        self._now = now
        self._framer.lose()
        if datagrams is None or datagrams * _PACKETS_PER_DATAGRAM >= CYCLE:
            for channel in self._channels.values():
                channel.now = now
                channel.forget()

    # -- what goes out -----------------------------------------------------------------------------------------

    def events_received(self) -> list[TsEvent]:
        """The events since the last call, in order."""
        events = self._out.events
        self._out.events = []
        return events

    @property
    def counters(self) -> Counters:
        """Sums for metrics."""
        self._out.counters.skipped_bytes = self._framer.skipped_bytes
        return self._out.counters

    # -- packets -----------------------------------------------------------------------------------------------

    def _block(self, block: bytes) -> None:
        """Take a run of whole packets.

        Most packets continue the PES packet at hand, without anything to look at: their 4 bytes of header are known
        before they come, so one comparison decides for many of them. Everything else is looked at in `_look`.
        """
        channels = self._channels
        words = array("I", block)
        heads = headers(words)
        index, count = 0, len(block) // SIZE
        self._out.counters.packets += count
        while index < count:
            ahead = heads[4 * index :]
            head = int.from_bytes(ahead[:4])
            channel = channels.get(head >> 8 & 0x1FFF)
            if channel is None:
                index += 1
            elif head == channel.expected:
                run = continued(ahead, head, min(count - index, -(-channel.left // BODY)))
                channel.now = self._now
                channel.run(payloads(words, index, run), run)
                index += run
            else:
                self._look(channel, head, block, index * SIZE)
                index += 1

    def _look(self, channel: Channel, head: int, block: bytes, at: int) -> None:
        """A packet that starts something, has an adaptation field, belongs to a table, or was not expected."""
        channel.now = self._now
        adaptation = channel.packet(head, block, at)
        pid = head >> 8 & 0x1FFF
        if adaptation is not None and adaptation.pcr is not None and pid == self._program.pcr_pid:
            if adaptation.discontinuity:
                self._out.counters.pcr_jumps += 1
            self._clock = adaptation.pcr
        if isinstance(channel, SectionChannel) and channel.sections:
            sections, channel.sections = channel.sections, []
            for section in sections:
                self._section(channel, pid, section)

    def _section(self, channel: SectionChannel, pid: int, section: bytes) -> None:
        if isinstance(channel, CueChannel):
            if section[0] == SPLICE_TABLE:
                time = splice_time(section)
                self._out.events.append(CueReceived(time if time is not None else self._clock, section))
        elif pid == PAT_PID:
            self._programs.take_pat(section)
        else:
            self._programs.take_pmt(pid, section)
