"""The sound of a worker: from packets to packets."""

from __future__ import annotations

import dataclasses

import pytest
from tests.worker_kit import AUDIO, START, Bench, audio, audio_rung, check_samples, heard, plan

from headwater.ingest.encode.model import Drain, Failed, Note, Opened, Progress, Resume
from headwater.ingest.media import Codec, Hole, Rendition, TrackEnded, TrackStarted

SECOND = START // 90_000
RUNG = audio_rung()
OPUS = audio_rung(rendition=Rendition("audio-opus"), codec=Codec.OPUS, encoder="libopus")


@pytest.mark.parametrize(
    "options",
    [
        "-c:a aac",
        "-c:a libopus -b:a 64k",
        "-c:a ac3 -ac 6",
        "-c:a mp2",
        "-c:a libmp3lame -ar 44100",
        "-c:a aac -ar 8000 -ac 1",
    ],
)
def test_every_source_becomes_both_rungs(options: str) -> None:
    clip = audio(options=options)
    bench = Bench(plan(audio=[RUNG, OPUS])).give(TrackStarted(AUDIO, clip.track), *clip.samples, Drain(1))
    for name in ("audio-96k", "audio-opus"):
        samples = bench.samples(name)
        check_samples(samples)
        assert SECOND * 48_000 <= samples[0].pts < SECOND * 48_000 + 2_048
        assert 0.93 * 48_000 < sum(frame.samples for frame in heard(bench.track(name), samples)) < 1.2 * 48_000


def test_the_rung_is_said_before_there_is_sound() -> None:
    clip = audio()
    bench = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, clip.track))
    assert [type(said) for said in bench.said] == [Opened]


def test_lost_packets_are_silence_and_an_outage_is_a_hole() -> None:
    clip = audio(seconds=3.0)
    bench = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, clip.track))
    until = clip.samples[30].pts
    bench.give(*clip.samples[:20], Hole(AUDIO, until), *clip.samples[30:50])
    check_samples(bench.samples("audio-96k"))
    assert not bench.of(Hole)
    until = clip.samples[90].pts
    bench.give(Hole(AUDIO, clip.samples[80].pts), Hole(AUDIO, until), *clip.samples[90:120], Drain(1))
    assert [hole.until for hole in bench.of(Hole)] == [clip.samples[80].pts, until]
    samples = bench.samples("audio-96k")
    first = next(n for n, sample in enumerate(samples) if sample.pts >= until)
    check_samples(samples[:first])
    check_samples(samples[first:])
    assert samples[first].pts < until + 1_024
    heard(bench.track("audio-96k"), samples)


def test_a_source_of_another_format_goes_on_in_the_same_rung() -> None:
    first, second = audio(), audio(options="-c:a ac3 -ac 6 -ar 44100").at(44_100)
    bench = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, first.track), *first.samples)
    bench.give(TrackStarted(AUDIO, second.track), *second.samples, Drain(1))
    samples = bench.samples("audio-96k")
    check_samples(samples)
    assert len(bench.of(Opened)) == 1
    assert 1.9 * 48_000 < len(samples) * 1_024 < 2.15 * 48_000


def test_a_replacement_gives_a_second_more_at_the_same_places() -> None:
    clip = audio(seconds=3.0)
    whole = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, clip.track), *clip.samples)
    later = Bench(plan(audio=[RUNG])).give(Resume(START + 180_000), TrackStarted(AUDIO, clip.track), *clip.samples[20:])
    found = later.samples("audio-96k")
    assert abs(found[0].pts - (SECOND + 1) * 48_000) <= 1_024
    assert {sample.pts for sample in found} <= {sample.pts for sample in whole.samples("audio-96k")}


def test_a_source_that_ends_and_comes_back() -> None:
    clip = audio()
    bench = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, clip.track), *clip.samples, TrackEnded(AUDIO))
    before = len(bench.samples("audio-96k"))
    assert before * 1_024 > 0.95 * 48_000
    bench.give(*clip.samples)
    assert len(bench.samples("audio-96k")) == before
    again = clip.at(96_000)
    bench.give(TrackStarted(AUDIO, again.track), *again.samples, Drain(1))
    assert len(bench.samples("audio-96k")) == 2 * before and len(bench.of(Opened)) == 1


def test_a_rung_that_does_not_open_leaves_the_others_alone() -> None:
    clip = audio()
    broken = dataclasses.replace(OPUS, encoder="libfdk_aac")
    bench = Bench(plan(audio=[broken, RUNG])).give(TrackStarted(AUDIO, clip.track), *clip.samples)
    (failed,) = bench.of(Failed)
    assert failed.rendition == "audio-opus" and bench.samples("audio-96k")


def test_what_cannot_be_decoded_is_said_and_counted() -> None:
    clip = audio()
    unknown = dataclasses.replace(clip.track, codec=Codec.H264)
    bench = Bench(plan(audio=[RUNG])).give(TrackStarted(AUDIO, unknown), *clip.samples[:3])
    assert [note.text for note in bench.of(Note)] == ["no decoder for h264"]
    bench.give(TrackStarted(AUDIO, clip.track))
    bench.give(*(dataclasses.replace(sample, payload=b"\xff" * 30) for sample in clip.samples[:5]))
    bench.now += 1
    bench.worker.breathe()
    assert bench.of(Progress)[-1].errors >= 4


def test_sound_that_no_rung_is_made_from_is_nothing() -> None:
    clip = audio()
    other = Rendition("audio-2")
    bench = Bench(plan(audio=[RUNG]))
    bench.give(TrackStarted(other, clip.track), clip.samples[0], Hole(other, 1), TrackEnded(other))
    bench.now += 1
    bench.worker.breathe()
    assert not bench.of(Opened) and not bench.samples("audio-96k")
