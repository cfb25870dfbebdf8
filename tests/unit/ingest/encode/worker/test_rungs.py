"""Rungs side by side: levels, shedding, failures, holes; whatever happens, each is gapless and decodes."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from tests.worker_kit import SOURCE, START, Bench, Clip, check_samples, cuts_at_keyframes, decoded, plan, rung, video

from headwater.ingest.encode.control import levels
from headwater.ingest.encode.model import Adjust, Drain, Failed, Note, Opened, Progress, Resume, VideoRung
from headwater.ingest.encode.worker import rungs
from headwater.ingest.encode.worker.video import VideoEncoder
from headwater.ingest.media import Codec, Hole, Rendition, Sample, TrackStarted

TOP, LOW = rung(90, 160), rung(60, 106)
LEVELS = levels(plan(TOP, LOW))
HALF = next(meaning.level for meaning in LEVELS if meaning.divisor == 2)
SHED = next(meaning.level for meaning in LEVELS if meaning.shed)


def source() -> Clip:
    """90 frames, five GOPs."""
    return video("testsrc2=size=320x180:rate=30", "-c:v libx264 -preset ultrafast -g 20 -bf 0", 3.0)


def played(*changes: tuple[int, int], rungs: tuple[VideoRung, ...] = (TOP, LOW), clip: Clip | None = None) -> Bench:
    """A clip, with changes of the level before its segments; `changes`: number of the segment, level."""
    bench, clip = Bench(plan(*rungs)), clip or source()
    bench.give(TrackStarted(SOURCE, clip.track))
    wanted, segment = dict(changes), -1
    for message in cuts_at_keyframes(clip):
        if not isinstance(message, Sample):
            segment += 1
            if segment in wanted:
                bench.give(Adjust(wanted[segment]))
        bench.give(message)
    return bench.give(Drain(1))


def places(samples: list[Sample]) -> list[int]:
    return [(sample.dts - START) // 3_000 for sample in samples]


def test_a_level_changes_nothing_but_the_work() -> None:
    plain, bench = played(), played((1, 1), (2, 2), (3, 0))
    for name in ("90p", "60p"):
        samples = bench.samples(name)
        assert bench.track(name) == plain.track(name)
        assert [(s.dts, s.pts, s.duration, s.independent) for s in samples] == [
            (s.dts, s.pts, s.duration, s.independent) for s in plain.samples(name)
        ]
        assert len(decoded(bench.track(name), samples)) == 90
        # It did change the work: other bytes where the level was in force, the same before.
        assert [s.payload for s in samples][:20] == [s.payload for s in plain.samples(name)][:20]
        assert [s.payload for s in samples][20:60] != [s.payload for s in plain.samples(name)][20:60]


def test_memory_is_given_back_when_encoders_make_way(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[None] = []
    monkeypatch.setattr(rungs, "give_back", lambda: given.append(None))
    played()
    assert not given
    played((1, 1), (2, 1), (3, 0))
    assert len(given) == 2


def test_the_level_in_force_is_that_of_the_last_cut() -> None:
    bench = played((1, 2))
    bench.now += 1
    bench.worker.breathe()
    assert [said.level for said in bench.of(Progress)][-1] == 2
    bench.give(Adjust(1))
    bench.now += 1
    bench.worker.breathe()
    assert bench.of(Progress)[-1].level == 2


def test_half_the_frame_rate_from_a_cut_on_and_back() -> None:
    bench = played((1, HALF), (3, 0))
    for name in ("90p", "60p"):
        samples = bench.samples(name)
        check_samples(samples)
        assert len(decoded(bench.track(name), samples)) == len(samples)
        assert places(samples) == [*range(20), *range(20, 60, 2), *range(60, 90)]
        assert {s.pts for s in samples if s.independent} == {START + n * 60_000 for n in range(5)}


def test_a_rung_that_is_shed_is_a_hole_and_comes_back_with_an_idr() -> None:
    bench = played((1, SHED), (3, 0), rungs=(TOP, LOW))
    top = bench.samples("90p")
    assert places(top) == [*range(20), *range(60, 90)]
    assert [n for n, s in zip(places(top), top, strict=True) if s.independent] == [0, 60, 80]
    assert len(decoded(bench.track("90p"), top)) == len(top)
    holes = [said.until for said in bench.said if isinstance(said, Hole)]
    assert holes == sorted(holes) and holes[-1] == START + 60 * 3_000
    assert all(hole - before <= 48_000 for before, hole in zip([START + 60_000, *holes], holes, strict=False))
    assert places(bench.samples("60p"))[-1] >= 88 and not [h for h in bench.of(Hole) if h.rendition == "60p"]


def test_a_level_of_the_start_does_not_change_the_configuration() -> None:
    bench, plain = played((0, 2)), played()
    assert bench.track("90p") == plain.track("90p")
    assert len(decoded(bench.track("90p"), bench.samples("90p"))) == 90


def test_a_rung_that_does_not_open_leaves_the_others_alone() -> None:
    broken = dataclasses.replace(LOW, encoder="h264_nvenc", preset="p4")
    bench = played(rungs=(TOP, broken))
    (failed,) = bench.of(Failed)
    assert failed.rendition == "60p" and "h264_nvenc" in failed.reason
    assert len(bench.samples("90p")) == 90 and not bench.samples("60p")


def test_what_no_encoder_says_ends_the_worker_and_not_a_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Sample]:
        raise RuntimeError("memory is not what it was")

    monkeypatch.setattr(VideoEncoder, "encode", broken)
    with pytest.raises(RuntimeError, match="memory is not"):
        played()


def test_an_encoder_of_another_configuration_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from headwater.ingest.encode.worker import options

    monkeypatch.setattr(options, "_x264_pins", lambda *_: {"ref": 4})
    bench = played((1, 1))
    notes = bench.of(Note)
    assert {note.rendition for note in notes} == {"90p", "60p"} and "another configuration" in notes[0].text
    assert len(bench.of(Opened)) == 2
    assert len(decoded(bench.track("90p"), bench.samples("90p"))) == 90


def test_more_rungs_than_cores_and_two_of_one_size() -> None:
    twin = dataclasses.replace(TOP, rendition=Rendition("twin"))
    hevc = VideoRung(
        Rendition("hevc"), Codec.HEVC, "libx265", 160, 90, 200_000, 230_000, 200_000, preset="ultrafast", profile="main"
    )
    same = rung(180, 320)
    bench = played(rungs=(same, TOP, twin, hevc, LOW))
    for name in ("180p", "90p", "twin", "hevc", "60p"):
        assert len(decoded(bench.track(name), bench.samples(name))) == 90
    assert [s.payload for s in bench.samples("twin")] == [s.payload for s in bench.samples("90p")]


def test_a_hole_of_the_source_is_one_of_each_rung_and_an_idr_follows() -> None:
    bench = Bench(plan(TOP, rung(60, 106, divisor=2)))
    later = source().at(500_000)
    bench.play(Clip(source().track, source().samples[:20]))
    bench.give(Hole(SOURCE, START + 400_000), Hole(SOURCE, later.samples[0].pts))
    bench.give(*cuts_at_keyframes(later, 9), Drain(1))
    for name in ("90p", "60p"):
        samples = bench.samples(name)
        after = next(n for n, sample in enumerate(samples) if sample.dts >= START + 500_000)
        check_samples(samples[:after])
        check_samples(samples[after:])
        assert samples[after].independent and samples[after].pts == START + 500_000
        assert [h.until for h in bench.of(Hole) if h.rendition == name] == [START + 400_000, START + 500_000]
        assert len(decoded(bench.track(name), samples)) == len(samples)
    assert bench.worker._ladder is not None and bench.worker._ladder.duplicated == 0


def test_what_is_late_is_left_out_on_demand() -> None:
    bench = Bench(plan(TOP))
    position = START + 40 * 3_000
    bench.give(TrackStarted(SOURCE, source().track))
    for number, message in enumerate(cuts_at_keyframes(source())):
        if number == 25:
            bench.give(Resume(position))
        bench.give(message)
    samples = bench.samples("90p")
    found = places(samples)
    assert found[-1] == 89 and 40 in found and not {30, 39} & set(found)
    assert samples[found.index(40)].independent
    assert len(decoded(bench.track("90p"), samples)) == len(samples)


def test_rungs_of_a_source_of_another_shape_keep_their_own() -> None:
    upright = video("testsrc2=size=180x320:rate=30", seconds=0.5).at(270_000)
    bench = played()
    bench.give(TrackStarted(SOURCE, upright.track), *cuts_at_keyframes(upright, 9), Drain(2))
    frames = decoded(bench.track("90p"), bench.samples("90p"))
    assert len(frames) == 105 and {(frame.width, frame.height) for frame in frames} == {(160, 90)}
    last = frames[-1].planes[0]
    row = bytes(last)[45 * last.line_size : 45 * last.line_size + 160]
    assert max(row[:50]) < 40 and max(row[60:100]) > 40 and max(row[110:]) < 40


def test_the_grid_is_that_of_the_plan() -> None:
    clip = video("testsrc2=size=320x180:rate=25", seconds=1.0)
    bench = Bench(plan(TOP, grid=Fraction(50))).play(clip)
    samples = bench.samples("90p")
    check_samples(samples)
    assert len(samples) == 49 and {s.duration for s in samples} == {1_800}
    # What is shown again costs less.
    assert sum(len(s.payload) for s in samples[1::2]) < sum(len(s.payload) for s in samples[2::2]) * 0.7
