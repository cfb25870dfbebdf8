"""Every publisher of the matrix, from ffmpeg to three kinds of viewers: nothing lost, nothing altered, no gap."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.profile import WHOLE
from tests.rtmp_replay import replay

from headwater.ingest.media import Packet
from headwater.loadtest.bench.certificates import self_signed
from headwater.loadtest.bench.server import Headwater

from .checks import *  # noqa: F403  # the tests of every outcome
from .matrix import Outcome, run_case
from .sources import SOURCES

pytestmark = [pytest.mark.peer, pytest.mark.alone, pytest.mark.timeout(300)]

PLAIN, TLS = list(SOURCES), [f"{name}-tls" for name in SOURCES]
ROUNDS = [PLAIN, TLS] if WHOLE else [[*PLAIN[::2], *TLS[1::2]]]
"""The cases of a round are pushed at the same time: over RTMP and over RTMPS, or each over one of them."""

CASES = [case for cases in ROUNDS for case in cases]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome | BaseException]:
    """All cases, a round at a time, against one server."""
    folder = tmp_path_factory.mktemp("matrix")
    server = Headwater(folder / "server", certificate=self_signed(folder)).start()

    async def one(case: str) -> Outcome:
        source = SOURCES[case.removesuffix("-tls")]
        return await run_case(server, source, folder, case.replace(".", "-"), tls=case.endswith("-tls"))

    for source in SOURCES.values():
        source.make(folder)

    async def run() -> dict[str, Outcome | BaseException]:
        found: dict[str, Outcome | BaseException] = {}
        for cases in ROUNDS:
            results = await asyncio.gather(*(one(case) for case in cases), return_exceptions=True)
            found.update(zip(cases, results, strict=True))
        return found

    try:
        return asyncio.run(run())
    finally:
        assert server.stop() == 0
        assert "Traceback" not in server.text(), server.text()


@pytest.fixture(params=CASES)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome | BaseException]) -> Outcome:
    """One case's outcome; its own failure when it had one."""
    found = outcomes[request.param]
    if isinstance(found, BaseException):
        raise found
    return found


def test_segmentation_of_the_byte_stream_does_not_matter(outcome: Outcome) -> None:
    if not outcome.sent:
        assert outcome.multivariant  # over TLS there is nothing to record
        return
    whole = replay(outcome.sent, [len(outcome.sent)])
    assert sum(isinstance(event, Packet) for event in whole) > 50
    assert replay(outcome.sent, [1]) == whole
    assert replay(outcome.sent, random.Random(outcome.source.name).choices(range(1, 3000), k=500)) == whole
