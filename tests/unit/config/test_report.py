from __future__ import annotations

import json
import math

import pytest

from headwater.config.merge import Family, Sample
from headwater.config.report import Report, from_json, to_json
from headwater.config.status import Facts, RenditionStatus, StreamStatus, UpstreamStatus

REPORT = Report(
    (
        Family("a_seconds", "histogram", "A.", (Sample("a_seconds_bucket", (("le", "+Inf"),), 3.0),)),
        Family("b", "gauge", 'B "quoted"\n', (Sample("b", (), math.inf), Sample("b", (("c", "d"),), -1.5))),
    ),
    {("show", "720p"): b"s\x00\xff", ("show", ""): b""},
    Facts(
        (StreamStatus("show", "following", viewers=3, renditions=(RenditionStatus("720p", "following", "x", 3, 9),)),),
        UpstreamStatus("http://a", False, "reset"),
    ),
)


@pytest.mark.parametrize("report", [REPORT, Report((), {}, Facts(()))])
def test_it_comes_as_it_went(report: Report) -> None:
    assert from_json(json.loads(json.dumps(to_json(report)))) == report


@pytest.mark.parametrize(
    "document", [None, [], {}, {"families": [["a"]], "viewers": [], "facts": {}}, {**to_json(REPORT), "viewers": [1]}]
)
def test_what_no_process_says(document: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json(document)
