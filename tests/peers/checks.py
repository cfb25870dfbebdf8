"""What must hold of every case that `matrix` has pushed and watched, over whatever protocol.

from .checks import *       # in a test module with a fixture `outcome`
"""

from __future__ import annotations

import itertools

from headwater.loadtest.follow import ReceivedPart

from .matrix import Outcome, Watched, largest_step

LONGEST_FRAME_S = {"fps-5": 0.2, "aac-8k": 0.128}


def rendition_of(track: str) -> str:
    """Where a source track is delivered."""
    stem = {"v": "source", "a": "audio"}[track[0]]
    return stem if track[1:] == "0" else f"{stem}-{int(track[1:]) + 1}"


def test_every_track_is_delivered(outcome: Outcome) -> None:
    assert set(outcome.renditions) == {rendition_of(track) for track in outcome.expected}


def test_part_client_gets_the_encoders_samples(outcome: Outcome) -> None:
    for track, expected in outcome.expected.items():
        received = outcome.renditions[rendition_of(track)].hashes()
        assert len(received) * largest_frame(outcome) > 5, f"{track}: only {len(received)} samples"
        start = next((i for i in range(len(expected)) if expected[i : i + 3] == received[:3]), None)
        assert start is not None, f"{track}: its first samples are not the encoder's"
        assert received == expected[start : start + len(received)], f"{track}: samples differ"


def largest_frame(outcome: Outcome) -> float:
    """Upper bound of a frame's length, seconds."""
    return LONGEST_FRAME_S.get(outcome.source.name, 0.05)


def test_parts_concatenate_to_their_segment(outcome: Outcome) -> None:
    for rendition, seen in outcome.renditions.items():
        compared = 0
        for parts in seen.segment_parts().values():
            bodies = [part.download.body for part in parts if part.download]
            if len(bodies) < len(parts):
                continue  # a GAP part has no bytes
            segment = next((body for body in seen.segments.values() if body.startswith(bodies[0])), None)
            if segment is not None:
                assert b"".join(bodies) == segment, rendition
                compared += 1
        assert compared >= 2, f"{rendition}: {compared} segments compared"


def test_parts_keep_the_part_target(outcome: Outcome) -> None:
    for rendition, seen in outcome.renditions.items():
        for earlier, later in itertools.pairwise(seen.parts):
            part = earlier.part
            assert part.duration <= seen.part_target, rendition
            last_of_segment = later.msn != earlier.msn
            assert part.duration >= 0.85 * seen.part_target or part.independent or last_of_segment, (rendition, earlier)
            assert not part.gap or late_audio(outcome, rendition)


def late_audio(outcome: Outcome, rendition: str) -> bool:
    """Whether the rendition has a hole before it begins."""
    return outcome.source.audio_offset_s > 0 and rendition == "audio"


def test_first_part_of_a_segment_is_independent(outcome: Outcome) -> None:
    if outcome.source.name == "gop-10s":
        assert any(part.part.independent for part in outcome.renditions["source"].parts)
        return
    for rendition, seen in outcome.renditions.items():
        for parts in complete(seen):
            assert parts[0].part.independent or (parts[0].part.gap and late_audio(outcome, rendition)), rendition


def complete(seen: Watched) -> list[list[ReceivedPart]]:
    """The segments that were received from their first part on."""
    return [parts for parts in seen.segment_parts().values() if parts[0].index == 0]


def test_plain_ffmpeg_decodes_without_error_or_gap(outcome: Outcome) -> None:
    complaints = outcome.frames.complaints.splitlines()
    if outcome.source.audio_offset_s:  # ffmpeg asks for the GAP segments before the audio, and skips them
        complaints = [line for line in complaints if not any(word in line for word in ("404", "segment", "Segment"))]
    assert complaints == []
    assert len(outcome.frames.times) == len(outcome.expected)
    for times in outcome.frames.times.values():
        assert largest_step(times) <= largest_frame(outcome) * 1.5


def test_publisher_saw_no_error(outcome: Outcome) -> None:
    assert "rror" not in outcome.push_log
