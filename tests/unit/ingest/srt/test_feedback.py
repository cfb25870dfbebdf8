"""What a receiver says, and when."""

from __future__ import annotations

import math
import struct

from headwater.ingest.srt.buffer import ReceiveBuffer, Window
from headwater.ingest.srt.clock import Clock
from headwater.ingest.srt.feedback import Feedback
from headwater.ingest.srt.packets import ControlType, control_type
from headwater.ingest.srt.stats import Counters


def made() -> tuple[Feedback, ReceiveBuffer, Counters]:
    buffer, counters = ReceiveBuffer(5, Window(1000, 1 << 20, 0.3, True), Clock(0, 0.0)), Counters()
    return Feedback(9, buffer.position, counters, 0.0), buffer, counters


def said(feedback: Feedback) -> list[ControlType]:
    outgoing, feedback.outgoing = feedback.outgoing, []
    assert all(struct.unpack_from(">I", datagram, 12)[0] == 9 for datagram in outgoing)
    return [ControlType(control_type(struct.unpack_from(">I", datagram)[0])) for datagram in outgoing]


def advance(buffer: ReceiveBuffer, feedback: Feedback, packets: int, now: float) -> None:
    for _ in range(packets):
        buffer.step()
        if buffer.position >= feedback.attention:
            feedback.progress(buffer.position, now)


def test_one_full_ack_in_a_period_and_light_ones_between() -> None:
    feedback, buffer, counters = made()
    assert feedback.due == 1.0
    advance(buffer, feedback, 1, 0.5)
    assert feedback.due == 0.5
    assert said(feedback) == []
    feedback.tick(buffer, 0.51)
    assert said(feedback) == [ControlType.ACK]
    assert counters.acks == 1
    advance(buffer, feedback, 200, 0.512)
    assert said(feedback) == [ControlType.ACK] * 3
    assert counters.acks == 1, "those were light"
    feedback.tick(buffer, 0.52)
    assert said(feedback) == [ControlType.ACK]
    assert counters.acks == 2


def test_a_probe_is_answered_before_there_is_data() -> None:
    feedback, buffer, _ = made()
    feedback.probe(0.1)
    feedback.tick(buffer, 0.11)
    assert said(feedback) == [ControlType.ACK]
    assert feedback.acks.confirmed(1, 0.16) is not None
    feedback.tick(buffer, 0.5)
    assert said(feedback) == []


def test_gaps_are_reported_at_once_and_again_until_they_are_closed() -> None:
    feedback, buffer, counters = made()
    buffer.insert(7, b"x", 0, 0.2)
    feedback.gap(*buffer.new_gap, 0.2)
    assert said(feedback) == [ControlType.NAK]
    assert (counters.lost, counters.naks) == (2, 1)
    assert math.isclose(feedback.due, 0.2 + 0.15)
    feedback.tick(buffer, 0.36)
    assert said(feedback) == [ControlType.NAK]
    buffer.insert(5, b"x", 0, 0.4)
    buffer.insert(6, b"x", 0, 0.4)
    feedback.tick(buffer, 0.55)
    assert said(feedback) == []
    assert feedback.due == 0.36 + 1.0


def test_keep_alives_after_silence() -> None:
    feedback, buffer, _ = made()
    feedback.tick(buffer, 0.9)
    assert said(feedback) == []
    feedback.tick(buffer, 1.0)
    assert said(feedback) == [ControlType.KEEPALIVE]
    assert feedback.due == 2.0


def test_the_rest() -> None:
    feedback, _, _ = made()
    feedback.shutdown(0.1)
    feedback.key_reply(b"abcd", 0.2)
    assert said(feedback) == [ControlType.SHUTDOWN, ControlType.USER]
