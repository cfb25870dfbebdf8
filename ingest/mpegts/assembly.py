"""One PID on its way from transport packets to PES packets or sections (ISO/IEC 13818-1 2.4.3). Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .events import Counters
from .packet import BODY, SIZE, Adaptation, later, read_adaptation
from .pes import packet_length, read_header
from .sections import SectionReader

_ERROR, _START, _SCRAMBLED = 0x800000, 0x400000, 0xC0
"""Bits of the packet header: transport_error_indicator, payload_unit_start_indicator, transport_scrambling_control."""
_KEPT = 0xFF3FFF00
"""Bits of the header that the next packet of the same PES has too."""
_PAYLOAD_ONLY = 0x10
NEVER = -1
"""An expected header that no packet has."""


class PesReader(Protocol):
    """Takes the PES packets of one PID."""

    def pes(self, data: bytes, pts: int | None, dts: int | None, now: float, whole: bool) -> None:
        """The payload of a PES packet, and its time stamps. Not `whole`: bytes are missing at its end."""

    def lost(self) -> None:
        """Bytes are missing here."""

    def end(self) -> None:
        """Nothing follows: hand on what is whole."""


class Channel:
    """What PES and section PIDs have in common: the continuity counter (2.4.3.3)."""

    __slots__ = ("_counters", "_last", "_next", "expected", "left", "now", "pieces")

    def __init__(self, counters: Counters) -> None:
        self.expected = NEVER
        """Header of the packet that continues what is at hand without anything to look at; NEVER: look at each."""
        self.left = 0
        """Bytes of payload that may still come without anything to look at."""
        self.pieces: list[bytes] = []
        """Payloads of the PES packet at hand, of one or more packets each."""
        self.now = 0.0
        self._counters = counters
        self._next = NEVER
        """Continuity counter of the next packet, as of the last one that was looked at."""
        self._last = b""
        """Payload of that packet."""

    def packet(self, head: int, block: bytes, at: int) -> Adaptation | None:
        """Look at one packet. `head`: its first 4 bytes; `at`: where it begins. Returns its adaptation field."""
        if head & _ERROR:
            self._counters.errored += 1
            return None
        adaptation = read_adaptation(block, at) if head & 0x20 else None
        announced = adaptation is not None and adaptation.discontinuity
        if not head & _PAYLOAD_ONLY:
            # Without payload the counter stands still, and may start anew behind an announced discontinuity.
            if announced:
                self._settle()
                self._next, self.expected = NEVER, NEVER
            return adaptation
        start = at + (adaptation.end if adaptation is not None else 4)
        payload = block[start : at + SIZE]
        self._settle()
        if self._next not in (NEVER, head & 15):
            if (head + 1) & 15 == self._next and payload == self._last:
                self._counters.duplicates += 1
                return adaptation
            if not announced:
                self._counters.discontinuities += 1
            self.lose()
        self._next = (head + 1) & 15
        self._last = payload
        if head & _SCRAMBLED:
            self._counters.scrambled += 1
            self.lose()
            self.refuse()
            return adaptation
        self.take(head, payload, adaptation is not None and adaptation.stuffed)
        return adaptation

    def run(self, payload: bytes, count: int) -> None:
        """Take `count` packets of which the first is `expected` and the others follow; `payload` is theirs, joined."""
        self.pieces.append(payload)
        self.left -= len(payload)
        self.expected = later(self.expected, count)
        if self.left <= 0:
            self.full()

    def _settle(self) -> None:
        """Note where the packets that were not looked at have led to."""
        if self.expected >= 0 and self.pieces:
            self._next = self.expected & 15
            self._last = self.pieces[-1][-BODY:]

    def take(self, head: int, payload: bytes, stuffed: bool) -> None:
        """Take a payload that follows the one before."""
        raise NotImplementedError

    def lose(self) -> None:
        """Packets are missing: drop what is at hand."""
        raise NotImplementedError

    def refuse(self) -> None:
        """The payload is encrypted."""

    def full(self) -> None:
        """`left` has run out."""

    def end(self) -> None:
        """Nothing follows: what is at hand is whole."""

    def forget(self) -> None:
        """An unknown number of packets is missing."""
        self.lose()
        self._next = self.expected = NEVER
        self._last = b""


class SectionChannel(Channel):
    """A PID with sections; what is whole waits in `sections`."""

    __slots__ = ("reader", "sections")

    def __init__(self, counters: Counters) -> None:
        super().__init__(counters)
        self.reader = SectionReader()
        self.sections: list[bytes] = []

    def take(self, head: int, payload: bytes, stuffed: bool) -> None:
        """See `Channel`."""
        bad = self.reader.bad
        self.sections += self.reader.feed(payload, bool(head & _START))
        self._counters.malformed += self.reader.bad - bad

    def lose(self) -> None:
        """See `Channel`."""
        self.reader.lose()


class PesChannel(Channel):
    """A PID with PES packets.

    A PES packet ends with its own length; with the next one's first packet; and, where its length is open, with a
    packet that was filled up: an encoder only does that when it has no more data. That shows the end of a picture one
    picture earlier. An encoder that fills up in the middle is found out by what follows, and then not believed.

    Args:
        reader: takes what is whole.
        limit: bytes of a PES packet without length.
        refused: called when the payload is encrypted.
    """

    __slots__ = ("_ended_by", "_fills_first", "_fills_later", "_limit", "_open", "_refused", "reader")

    def __init__(self, counters: Counters, reader: PesReader, limit: int, refused: Callable[[], None]) -> None:
        super().__init__(counters)
        self.reader = reader
        self._refused = refused
        self._limit = limit
        self._open = False
        """The PES packet at hand has no length."""
        self._fills_first = self._fills_later = True
        """Whether a filled-up first, or later, packet of a PES packet is believed to be the last."""
        self._ended_by = 0
        """1 or 2: the last PES packet was ended by its filled-up first, or by a later, packet."""

    def take(self, head: int, payload: bytes, stuffed: bool) -> None:
        """See `Channel`."""
        if head & _START:
            self._start(head, payload, stuffed)
        elif self.pieces:
            self.pieces.append(payload)
            self.left -= len(payload)
            self._expect(head)
            if self.left <= 0:
                self.full()
            elif stuffed and self._open and self._fills_later:
                self._end(2)
        elif self._ended_by and payload:
            # More of a PES packet that was taken for whole.
            self._counters.damaged += 1
            if self._ended_by == 1:
                self._fills_first = False
            else:
                self._fills_later = False
            self._ended_by = 0

    def _start(self, head: int, payload: bytes, stuffed: bool) -> None:
        if self.pieces:
            # No packet is missing, so a length that says more was wrong.
            self._counters.malformed += not self._open
            self._finish(whole=True)
        self._ended_by = 0
        if len(payload) < 6:
            self.pieces.clear()
            self.expected = NEVER
            self._counters.malformed += 1
            return
        length = packet_length(payload)
        self._open = not length
        self.pieces.append(payload)
        self.left = (length or self._limit) - len(payload)
        self._expect(head)
        if self.left <= 0:
            self.full()
        elif stuffed and self._open and self._fills_first:
            self._end(1)

    def _expect(self, head: int) -> None:
        self.expected = head & _KEPT | _PAYLOAD_ONLY | self._next

    def full(self) -> None:
        """See `Channel`: the PES packet has its length, or is longer than allowed."""
        self._settle()
        if self._open:
            self._counters.oversized += 1
            self._drop()
            self.reader.lost()
        else:
            self._finish(whole=True)

    def _end(self, by: int) -> None:
        self._finish(whole=True)
        self._ended_by = by

    def _drop(self) -> None:
        self.pieces.clear()
        self.expected = NEVER
        self._ended_by = 0

    def _finish(self, whole: bool) -> None:
        data = b"".join(self.pieces)
        length = packet_length(data)
        self._drop()
        header = read_header(data)
        if header is None:
            self._counters.malformed += 1
        elif header.scrambled:
            self._counters.scrambled += 1
            self.refuse()
        else:
            end = length if length else len(data)
            payload = data[header.payload : end]
            if not whole:
                self._counters.damaged += 1
            if payload:
                self.reader.pes(payload, header.pts, header.dts, self.now, whole)

    def lose(self) -> None:
        """See `Channel`. What came before the loss is handed on as not whole."""
        if self.pieces:
            self._finish(whole=False)
        self._drop()
        self.reader.lost()

    def end(self) -> None:
        """See `Channel`."""
        if self.pieces:
            self._finish(whole=self._open)
        self.reader.end()

    def refuse(self) -> None:
        """See `Channel`."""
        self._refused()
