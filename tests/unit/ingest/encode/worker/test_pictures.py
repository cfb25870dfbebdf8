"""The video of a worker: sources that change, break, reorder and pause; stills; memory."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from tests.worker_kit import (
    SOURCE,
    START,
    X264,
    Bench,
    Clip,
    check_samples,
    cuts_at_keyframes,
    decoded,
    plan,
    rung,
    video,
)

from headwater.ingest.encode.model import Adjust, Drain, Drained, Note, Picture, Progress, Thumbnails
from headwater.ingest.encode.worker.loop import resident_bytes
from headwater.ingest.media import Hole, Sample, TrackEnded, TrackStarted

B_FRAMES = "-c:v libx264 -preset ultrafast -g 30 -bf 3 -b_strategy 0"
PQ = (
    "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -color_primaries bt2020 -color_trc smpte2084 "
    "-colorspace bt2020nc -x265-params log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
)


@pytest.mark.parametrize(
    "options",
    [
        X264,
        B_FRAMES,
        "-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1",
        "-c:v libsvtav1 -preset 12 -g 30 -svtav1-params lp=1",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv444p",
        PQ,
    ],
    ids=["h264", "b-frames", "hevc", "av1", "vp9", "4:4:4", "pq"],
)
def test_every_source_becomes_the_rung(options: str) -> None:
    bench = Bench(plan(rung())).play(video(options=options)).give(Drain(1))
    samples = bench.samples("90p")
    check_samples(samples)
    assert [(s.dts - START) // 3_000 for s in samples] == list(range(30))
    frames = decoded(bench.track("90p"), samples)
    assert len(frames) == 30 and {frame.format.name for frame in frames} == {"yuv420p"}
    assert bench.said[-1] == Drained(1)


def test_high_dynamic_range_is_kept_and_said() -> None:
    bench = Bench(plan(rung())).play(video(options=PQ))
    assert str(bench.track("90p").video_range) == "PQ"
    (note,) = bench.of(Note)
    assert "not tone-mapped" in note.text


def test_captions_survive() -> None:
    """CEA-708 in SEI messages (ATSC A/53 part 4), a pair of bytes with each frame."""
    clip = video()
    samples = []
    for number, sample in enumerate(clip.samples):
        caption = b"\xb5\x00\x31GA94\x03\x41\xff\xfc" + bytes((0x80 | number, 0x20)) + b"\xff"
        message = b"\x06\x04" + bytes((len(caption),)) + caption + b"\x80"
        samples.append(dataclasses.replace(sample, payload=len(message).to_bytes(4) + message + sample.payload))
    bench = Bench(plan(rung(), rung(60, 106))).play(Clip(clip.track, tuple(samples)))
    for name in ("90p", "60p"):
        found = [sample.payload.partition(b"GA94\x03\x41")[2][2:4] for sample in bench.samples(name)]
        assert found == [bytes((0x80 | number, 0x20)) for number in range(30)]


def test_fields_become_one_frame_each() -> None:
    clip = video("testsrc2=size=320x180:rate=50,interlace", "-c:v libx264 -preset ultrafast -flags +ildct+ilme", 0.8)
    bench = Bench(plan(rung(), grid=Fraction(25))).play(clip).give(Drain(1))
    assert len(bench.samples("90p")) == len(clip.samples) == 20
    check_samples(bench.samples("90p"))


def test_arrival_is_that_of_the_sample_of_the_picture() -> None:
    for options in (X264, B_FRAMES):
        clip = video(options=options)
        bench = Bench(plan(rung())).play(clip).give(Drain(1))
        arrived = {sample.pts: sample.arrived for sample in clip.samples}
        assert [(s.pts, s.arrived) for s in bench.samples("90p")] == sorted(arrived.items())


def test_broken_packets_are_counted_and_shown_again() -> None:
    clip = video(options="-c:v libx264 -preset ultrafast -g 10 -bf 0")
    samples = tuple(
        dataclasses.replace(s, payload=b"\x00\x00\x00\x05" + b"\xff" * 5) if n in (3, 4, 13) else s
        for n, s in enumerate(clip.samples)
    )
    bench = Bench(plan(rung())).play(Clip(clip.track, samples))
    bench.now += 1
    bench.worker.breathe()
    progress = bench.of(Progress)[-1]
    assert progress.errors == 3 and progress.dropped == 0 and progress.duplicated <= 3
    check_samples(bench.samples("90p"))
    assert len(bench.samples("90p")) == 30


def test_samples_without_a_track_are_errors() -> None:
    clip = video()
    bench = Bench(plan(rung())).give(*cuts_at_keyframes(clip))
    bench.now += 1
    bench.worker.breathe()
    assert bench.of(Progress)[-1].errors == 30 and not bench.samples("90p")


def test_a_track_that_ends_gives_what_it_held() -> None:
    clip = video(options=B_FRAMES)
    bench = Bench(plan(rung())).play(clip)
    before = len(bench.samples("90p"))
    bench.give(TrackEnded(SOURCE))
    assert before < 30 == len(bench.samples("90p"))


def test_the_same_track_again_changes_nothing() -> None:
    clip = video(options=B_FRAMES)
    bench = Bench(plan(rung())).give(TrackStarted(SOURCE, clip.track))
    for number, message in enumerate(cuts_at_keyframes(clip)):
        track = dataclasses.replace(clip.track, frame_rate=Fraction(number + 1), name="x")
        bench.give(TrackStarted(SOURCE, track), message)
    assert len(bench.give(Drain(1)).samples("90p")) == 30


def test_a_hole_gives_what_the_decoder_held_first() -> None:
    clip = video(options=B_FRAMES)
    bench = Bench(plan(rung())).play(clip).give(Hole(SOURCE, START + 300_000))
    assert len(bench.samples("90p")) == 30
    assert [type(said) for said in bench.said[-2:]] != [Hole, Hole] and isinstance(bench.said[-1], Hole)
    bench.now += 1
    bench.worker.breathe()
    assert bench.of(Progress)[-1].position == START + 300_000


def test_after_a_drain_it_goes_on_with_an_idr() -> None:
    clip = video()
    bench = Bench(plan(rung())).play(clip).give(Drain(1))
    bench.give(*cuts_at_keyframes(clip.at(90_000), 5), Drain(2))
    samples = bench.samples("90p")
    check_samples(samples)
    assert [n for n, sample in enumerate(samples) if sample.independent] == [0, 30]
    assert len(decoded(bench.track("90p"), samples)) == 60


def test_progress_says_how_far_and_how_fast() -> None:
    bench = Bench(plan(rung()))
    clip = video()
    bench.give(TrackStarted(SOURCE, clip.track))
    for message in cuts_at_keyframes(clip):
        bench.now += 1 / 30
        bench.give(message)
    reports = bench.of(Progress)
    assert [said.position - START for said in reports] == [36_000, 75_000]
    bench.now += 1
    bench.worker.breathe()
    assert sum(said.media_s for said in bench.of(Progress)) == pytest.approx(1.0)
    assert bench.of(Progress)[-1].position == START + 90_000
    assert bench.of(Progress)[-1].cpu_s > 0 and bench.of(Progress)[-1].resident_bytes > 1 << 20


def test_stills_come_at_their_interval_beside_rungs() -> None:
    bench = Bench(plan(rung(), thumbnails=Thumbnails(0.4, 160))).play(video())
    stills = bench.of(Picture)
    assert [still.content_type for still in stills] == ["image/jpeg", "image/webp"] * 3
    assert [still.time - START for still in stills[::2]] == [0, 36_000, 72_000]


def test_stills_alone_decode_keyframes_only() -> None:
    clip = video(options="-c:v libx264 -preset ultrafast -g 5 -bf 2 -b_strategy 0")
    bench = Bench(plan(thumbnails=Thumbnails(0.3, 160))).give(TrackStarted(SOURCE, clip.track))
    for message in cuts_at_keyframes(clip):
        # Nothing but keyframes reaches the decoder: what is not one may be anything.
        if isinstance(message, Sample) and not message.independent:
            bench.give(dataclasses.replace(message, payload=b"nothing"))
        else:
            bench.give(message)
    assert [still.time - START for still in bench.of(Picture)[::2]] == [0, 30_000, 60_000]
    bench.now += 1
    bench.worker.breathe()
    assert bench.of(Progress)[-1].errors == 0


def test_without_stills_and_rungs_nothing_is_decoded() -> None:
    clip = video()
    broken = Clip(clip.track, tuple(dataclasses.replace(s, payload=b"x") for s in clip.samples))
    bench = Bench(plan()).play(broken).give(Drain(1))
    assert bench.said == [Drained(1)]


def test_memory_stays_flat() -> None:
    clip = video("testsrc2=size=1280x720:rate=30", seconds=0.5)
    bench = Bench(plan(rung(360, 640), rung(180, 320), thumbnails=Thumbnails(0.1, 160)))
    sizes = []
    for turn in range(12):
        bench.give(TrackStarted(SOURCE, clip.track), Adjust(turn % 3))
        bench.give(*cuts_at_keyframes(clip.at(45_000 * turn), turn))
        bench.said.clear()
        sizes.append(resident_bytes())
    # After a warm-up of 2 s, 120 frames with all their encoders, stills and levels: no frame of 1.4 MB may be left.
    assert sizes[-1] - max(sizes[2:4]) < 8 << 20, [size >> 20 for size in sizes]
