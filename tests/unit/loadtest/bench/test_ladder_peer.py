"""The peer does the job that our settings ask for."""

from __future__ import annotations

import tomllib
from pathlib import Path

from headwater.config.settings_encode import Encode
from headwater.loadtest.bench.ladder import settings
from headwater.loadtest.bench.ladder_peer import RUNGS, command


def test_both_sides_are_told_the_same() -> None:
    ours = Encode.model_validate(tomllib.loads(settings())["ingest"]["encode"])
    assert ours.enabled and not ours.thumbnails.enabled
    made = command(Path("in.mp4"), {rung.name: Path(rung.name) for rung in RUNGS}, RUNGS, threads=1)
    for rung, wanted in zip(ours.rungs, RUNGS, strict=True):
        assert (rung.rendition, rung.height, rung.preset) == (wanted.name, wanted.height, "veryfast")
        start = made.index(str(rung.bitrate))
        assert made[start - 1] == "-b:v"
        told = dict(zip(made[start + 1 : start + 5 : 2], made[start + 2 : start + 6 : 2], strict=True))
        assert told == {"-maxrate": str(rung.maxrate), "-bufsize": str(rung.bufsize)}
    assert made.count("libx264") == made.count("zerolatency") == made.count("veryfast") == len(RUNGS)
    assert "-re" in made and "[0:v]split=3[i0][i1][i2]" in made[made.index("-filter_complex") + 1]


def test_thumbnails_are_made_when_they_are_asked_for() -> None:
    ours = Encode.model_validate(tomllib.loads(settings(thumbnails_s=5))["ingest"]["encode"])
    assert ours.thumbnails.enabled
