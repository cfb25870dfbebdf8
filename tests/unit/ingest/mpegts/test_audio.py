from __future__ import annotations

from tests.ts_kit import adts

from headwater.ingest.media import Codec, Packet, TrackId
from headwater.ingest.mpegts.adts import AdtsFraming
from headwater.ingest.mpegts.audio import MAX_FRAME, AudioStream
from headwater.ingest.mpegts.output import Output, TrackOutput
from headwater.ingest.tracks import TrackConfigured, TrackRefused

FRAMES = [adts(bytes((number,)) * 20) for number in range(1, 9)]


class Case:
    """An ADTS stream at 48 kHz and what it says: 1,920 ticks a frame."""

    def __init__(self) -> None:
        self.out = Output()
        self.stream = AudioStream(TrackOutput(self.out, TrackId("a0")), AdtsFraming(), "en", "Main")

    def send(self, data: bytes, pts: int | None = None, whole: bool = True) -> list[tuple[int, int]]:
        """(time, number of the frame) of each packet."""
        self.stream.pes(data, pts, pts, 1.0, whole)
        events, self.out.events = self.out.events, []
        self.said = [event for event in events if not isinstance(event, Packet)]
        return [(event.dts, event.payload[0]) for event in events if isinstance(event, Packet)]


def test_frames_of_a_packet_are_counted_on() -> None:
    case = Case()
    assert case.send(b"".join(FRAMES[:3]), 900) == [(900, 1), (2_820, 2), (4_740, 3)]
    (configured,) = case.said
    assert isinstance(configured, TrackConfigured)
    track = configured.track
    assert (track.codec, track.config.hex(), track.language, track.name) == (Codec.AAC, "1190", "en", "Main")
    assert case.send(FRAMES[3]) == [(6_660, 4)]
    assert case.said == []
    assert case.send(FRAMES[4], 10_000) == [(10_000, 5)]


def test_fractions_of_ticks_do_not_add_up() -> None:
    case = Case()
    frames = b"".join(adts(b"\x01" * 9, rate=4) for _ in range(45))
    times = [time for time, _ in case.send(frames, 0)]
    assert times == [number * 1_024 * 90_000 // 44_100 for number in range(45)]


def test_a_frame_that_goes_on_in_the_next_packet() -> None:
    case = Case()
    data = FRAMES[0] + FRAMES[1]
    assert case.send(data[:40], 0) == [(0, 1)]
    # The stamp belongs to the first frame that begins in its packet.
    assert case.send(data[40:] + FRAMES[2], 5_000) == [(1_920, 2), (5_000, 3)]
    assert case.send(FRAMES[3][:10], 9_000) == []
    assert case.send(FRAMES[3][10:15], None) == []
    assert case.send(FRAMES[3][15:] + FRAMES[4], 20_000) == [(9_000, 4), (20_000, 5)]


def test_the_wrap() -> None:
    assert [time for time, _ in Case().send(b"".join(FRAMES[:2]), (1 << 33) - 1_000)] == [(1 << 33) - 1_000, 920]


def test_what_precedes_the_first_stamp_is_counted() -> None:
    case = Case()
    assert case.send(FRAMES[0] + FRAMES[1]) == []
    assert case.out.counters.without_time == 2


def test_a_loss_costs_what_it_hits() -> None:
    case = Case()
    data = b"".join(FRAMES[:4])
    assert case.send(data[:70], 0, whole=False) == [(0, 1), (1_920, 2)]
    # What follows the loss begins in the middle of a frame.
    case.stream.lost()
    assert case.send(data[75:] + FRAMES[4], None) == [(3_840, 4), (5_760, 5)]


def test_garbage_and_false_sync_words_are_passed() -> None:
    case = Case()
    assert case.send(FRAMES[0], 0) == [(0, 1)]
    false = b"\xff\xf1\x4c\x80\x03\x00\x00\x00"
    assert case.send(b"\xff" + false + false + FRAMES[1] + FRAMES[2], 1_920) == [(1_920, 2), (3_840, 3)]
    assert case.out.counters.malformed == 1


def test_another_configuration() -> None:
    case = Case()
    case.send(FRAMES[0], 0)
    assert case.send(adts(b"\x09" * 9, channels=1) + FRAMES[1], 1_920) == [(1_920, 9), (3_840, 2)]
    assert [event.track.channels for event in case.said if isinstance(event, TrackConfigured)] == [1, 2]


def test_what_cannot_be_carried_is_said_once() -> None:
    case = Case()
    several = bytearray(FRAMES[0])
    several[6] |= 2
    assert case.send(bytes(several) * 3, 0) == []
    assert [type(event) for event in case.said] == [TrackRefused]
    assert case.send(adts(b"\x21\x10", channels=0) * 2, 0) == []
    assert [type(event) for event in case.said] == [TrackRefused]
    assert (case.out.counters.malformed, case.out.counters.before_config) == (3, 2)
    assert case.send(FRAMES[0], 0) == [(0, 1)]


def test_what_never_ends_is_not_kept() -> None:
    case = Case()
    for _ in range(40):
        case.send(FRAMES[0][:7] + b"\x00" * 5_000, 0)
        assert len(case.stream._carry) <= MAX_FRAME
    case.stream.end()
    assert case.send(b"") == []
