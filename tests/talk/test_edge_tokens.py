"""Playback tokens over real sockets: what viewers see, what the upstream sees, what the log and the metrics say."""

from __future__ import annotations

import io
import time

import pytest
from prometheus_client import generate_latest
from tests.edge_house import LIST, House, on_both_loops, until, waiting
from tests.edge_kit import body_of

from headwater.config import logs
from headwater.config.settings import Edge, Log
from headwater.edge.keyring import KeyFileError
from headwater.edge.tokens import mint

SECRET = "a-secret-of-some-length"
ON = {"tokens": {"keys": [{"id": "a", "secret": SECRET}]}}


def minted(path: str = "/live/x/", seconds: float = 60, **more: object) -> str:
    expires = time.time() + seconds  # noqa: TID251  (tokens expire by the wall clock)
    return mint("a", SECRET.encode(), expires=expires, paths=[path], **more)  # type: ignore[arg-type]


@on_both_loops
async def test_a_player_from_its_first_request_on(house: House) -> None:
    await house.edge(**ON)
    peer, stream = await house.peer(), house.upstream.stream
    first = await peer.ask(f"{LIST}?token={minted()}")
    assert first.status == 302
    base = first.headers["location"]
    playlist = await peer.ask(base)
    assert playlist.body.decode() == stream.text(), "not a byte of it is about the viewer"
    name = stream.closed[-1].parts[-1].uri
    assert (await peer.ask(base.replace("index.m3u8", name or ""))).body == body_of(name or "")
    other = await house.peer()
    peer.get(f"{base}?_HLS_msn={stream.msn}&_HLS_part=0")
    other.get(f"/t/{minted(seconds=90)}{LIST}?_HLS_part=0&_HLS_msn={stream.msn}")
    await until(waiting(house)(2))
    house.upstream.step()
    assert (await peer.answer()).body == (await other.answer()).body == stream.text().encode()
    assert house.upstream.count(f"_HLS_msn={stream.msn}&_HLS_part=0") == 1
    assert not [hit for hit in house.upstream.hits if "/t/" in hit or "token" in hit]


@on_both_loops
async def test_refusals_keep_the_connection_and_cors(house: House) -> None:
    await house.edge(**ON)
    peer = await house.peer()
    for path, words in (
        (LIST, "wants a playback token"),
        (f"/t/{minted(seconds=-1)}{LIST}", "has expired"),
        (f"/t/{minted('/live/y/')}{LIST}", "does not open this path"),
        (f"/t/{minted(networks=['192.0.2.0/24'])}{LIST}", "for another address"),
        (f"/t/{'x' * 5_000}{LIST}", "no playback token"),
    ):
        answer = await peer.ask(path)
        assert answer.status == 403
        assert words in answer.body.decode()
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
    assert (await peer.ask(f"/t/{minted(networks=['127.0.0.0/8'])}{LIST}")).status == 200
    assert (await peer.ask("/healthz")).status == 200
    assert house.metric("headwater_edge_tokens_total", outcome="ok") == 1
    assert house.metric("headwater_edge_tokens_total", outcome="expired") == 1
    assert house.metric("headwater_edge_refused_total", reason="token-path") == 1


@on_both_loops
async def test_no_token_in_a_log_or_a_metric(house: House) -> None:
    said = io.StringIO()
    logs.setup(Log(level="debug", format="json"), [SECRET], said)
    await house.edge(**ON)
    peer = await house.peer()
    good, bad = minted(), minted()[:-3] + "zzz"
    assert (await peer.ask(f"/t/{good}{LIST}")).status == 200
    assert (await peer.ask(f"/t/{good}/live/x/missing.mp4")).status == 404
    assert (await peer.ask(f"{LIST}?token={bad}")).status == 403
    assert (await peer.ask(f"/t/{bad}{LIST}")).status == 403
    await house.upstream.close()
    assert (await peer.ask(f"/t/{good}/live/x/other.mp4?a=1")).status == 502
    await until(lambda: "token-signature" in said.getvalue() and "upstream-failed" in said.getvalue())
    everything = said.getvalue() + generate_latest(house.registry).decode()
    assert "h1." not in everything
    assert SECRET not in everything


@on_both_loops
async def test_forged_tokens_are_dear(house: House) -> None:
    await house.edge(**ON, limits={"unlimited": [], "requests_per_s_per_address": 100})
    peer = await house.peer()
    forged = minted()[:-3] + "zzz"
    statuses = [(await peer.ask(f"/t/{forged}{LIST}")).status for _ in range(8)]
    assert statuses[:3] == [403] * 3
    assert 429 in statuses


def test_no_error_text_that_quotes_a_url_has_a_token_in_it() -> None:
    hide = logs.Redactor()
    token = minted()
    assert hide.text(f"GET http://a/t/{token}/live/x failed") == "GET http://a/t/(hidden)/live/x failed"
    assert token not in hide.text(f"/live/x?token={token}&a=1")


async def test_keys_that_cannot_be_read_end_the_start() -> None:
    house = House()
    with pytest.raises(KeyFileError, match="cannot be read"):
        await house.edge(tokens={"key_file": "/nowhere/keys"})
    await house.close()
    with pytest.raises(ValueError, match="secret"):
        Edge.model_validate({"tokens": {"keys": [{"id": "a", "secret": "short"}]}})
