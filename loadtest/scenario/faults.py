"""What goes wrong with a publisher, and when. Sans-IO: times are seconds since the run began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.loadtest.publish.flv import TagKind

from .publishing import Disconnect, Fault, Jump, Loss, Spike, Stall

MAX_FILLER = 4 << 20
"""Bytes in one picture. Why: more is no bit rate of any encoder, and a server may refuse it."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Once that a fault is there."""

    fault: Fault
    number: int
    """From 0; counts `every_s`."""
    begin: float
    end: float


def spell(fault: Fault, now: float) -> Spell | None:
    """The latest that has begun; None: not yet."""
    if now < fault.at_s:
        return None
    number = int((now - fault.at_s) // fault.every_s) if fault.every_s is not None else 0
    begin = fault.at_s + number * (fault.every_s or 0.0)
    return Spell(fault, number, begin, begin if isinstance(fault, Jump) else begin + fault.for_s)


def what(fault: Fault) -> str:
    """For the report."""
    match fault:
        case Jump():
            return f"timestamps jump by {fault.by_s:g} s"
        case Spike():
            return f"{fault.factor:g} times the bit rate for {fault.for_s:g} s"
        case Loss():
            return f"{fault.percent:g} % loss for {fault.for_s:g} s"
        case _:
            return f"{fault.kind} for {fault.for_s:g} s"


class Faults:
    """All of one publisher."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._told: set[tuple[int, int]] = set()

    def begun(self, now: float) -> list[Spell]:
        """What has begun since the last call."""
        found = []
        for index, fault in enumerate(self._faults):
            current = spell(fault, now)
            if current is not None and (index, current.number) not in self._told:
                self._told = {told for told in self._told if told[0] != index} | {(index, current.number)}
                found.append(current)
        return found

    def until(self, kind: type[Disconnect] | type[Stall], now: float) -> float | None:
        """When the disconnect or stall ends that is there now; None: there is none."""
        ends = [one.end for one in self._now(now) if isinstance(one.fault, kind)]
        return max(ends, default=None)

    def shift_s(self, now: float) -> float:
        """All jumps so far."""
        found = (spell(fault, now) for fault in self._faults if isinstance(fault, Jump))
        return sum((one.number + 1) * one.fault.by_s for one in found if one and isinstance(one.fault, Jump))

    def factor(self, now: float) -> float:
        """Of the bit rate."""
        return max((one.fault.factor for one in self._now(now) if isinstance(one.fault, Spike)), default=1.0)

    def loss(self, now: float) -> float:
        """Share of datagrams, 0 to 1."""
        return max((one.fault.percent for one in self._now(now) if isinstance(one.fault, Loss)), default=0.0) / 100

    def _now(self, now: float) -> list[Spell]:
        found = (spell(fault, now) for fault in self._faults)
        return [one for one in found if one is not None and one.begin <= now < one.end]


def filled(kind: TagKind, payload: bytes, factor: float) -> bytes:
    """A picture of `factor` times its size: with filler data (ITU-T H.264, 7.3.2.7) behind it. Others stay.

    FLV, annex E.4.3: codec 7 is AVC, packet type 1 are its NAL units, each after four bytes of length.
    """
    if factor <= 1 or kind is not TagKind.VIDEO or len(payload) < 6 or payload[0] & 0x8F != 7 or payload[1] != 1:
        return payload
    size = min(MAX_FILLER, int(len(payload) * (factor - 1)))
    if size < 6:
        return payload
    return payload + (size - 4).to_bytes(4, "big") + b"\x0c" + b"\xff" * (size - 6) + b"\x80"
