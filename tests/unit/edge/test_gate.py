"""The gate before look-up, together with the core behind it (rules 159, 229)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.edge_kit import LiveStream, Script, Viewer, make_core

from headwater.edge import gate as gate_module
from headwater.edge.core import Core
from headwater.edge.gate import Gate
from headwater.edge.message import Method, Outcome, Tally
from headwater.edge.tokens import MAX_TOKEN_BYTES, Grant, Verdict, mint, verify
from headwater.edge.viewers import Visitor

UNIX = 1_800_000_000.0
SECRET = b"a-secret-of-some-length"
LIST = "/live/x/v/index.m3u8"


def minted(path: str = "/live/x/", expires: float = 100.0, **more: object) -> str:
    return mint("a", SECRET, expires=UNIX + expires, paths=[path], **more)  # type: ignore[arg-type]


TOKEN = minted()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def core(script: Script) -> Core:
    core = make_core(script)
    core.gate = Gate(("/assets/",), core.tally)
    core.gate.use_secrets({"a": SECRET})
    core.gate.tell_time(0.0, UNIX)
    return core


def counts(core: Core) -> dict[str, int]:
    assert core.gate is not None
    return {verdict.label: count for verdict, count in core.gate.counts.items() if count}


def test_the_prefix_is_taken_off_before_look_up(core: Core, script: Script) -> None:
    one = Viewer(core).get(f"/t/{TOKEN}/live/x/a.mp4", 1.0)
    two = Viewer(core).get(f"/t/{minted(expires=50)}/live/x/a.mp4", 1.0)
    assert script.targets == ["/live/x/a.mp4"], "two tokens, one object, nothing of them upstream"
    script.answer("/live/x/a.mp4", 2.0, b"x", cache_control="max-age=10")
    assert (one.body, two.body) == (b"x", b"x")
    assert Viewer(core).get(f"/t/{TOKEN}/live/x/a.mp4", 3.0).answer.outcome is Outcome.HIT
    assert counts(core) == {"ok": 3}


def test_a_live_playlist_is_followed_once_and_is_the_same_for_all(core: Core, script: Script) -> None:
    stream = LiveStream()
    viewers = [Viewer(core).get(f"/t/{minted(expires=50 + n)}{LIST}", 1.0) for n in range(5)]
    script.playlist(LIST, 1.0, stream)
    assert {viewer.body for viewer in viewers} == {stream.text().encode()}
    held = Viewer(core).get(f"/t/{TOKEN}{LIST}?_HLS_msn={stream.msn}&_HLS_part=0", 2.0)
    assert not held.answers
    assert core.followers == 1
    assert not [request.target for request in script.seen if "/t/" in request.target or "token" in request.target]


def test_the_first_request_may_have_it_in_its_query(core: Core, script: Script) -> None:
    viewer = Viewer(core).get(f"{LIST}?b=1&token={TOKEN}&a=2&_HLS_msn=5", 1.0)
    assert viewer.status == 302
    assert viewer.header("location") == f"/t/{TOKEN}{LIST}?_HLS_msn=5&a=2&b=1"
    assert viewer.header("cache-control") == "no-store"
    assert viewer.header("access-control-allow-origin") == "*"
    assert not script.seen
    head = Viewer(core).get(f"{LIST}?token={TOKEN}", 1.0, Method.HEAD)
    assert head.header("location") == f"/t/{TOKEN}{LIST}"
    escaped = Viewer(core).get(f"{LIST}?%74oken={TOKEN.replace('.', '%2E')}", 1.0)
    assert escaped.header("location") == f"/t/{TOKEN}{LIST}"
    page = Viewer(core).get(f"/live/x/?token={TOKEN}", 1.0)
    assert page.header("location") == f"/t/{TOKEN}/live/x/"
    assert counts(core) == {"redirected": 4}


def test_a_token_in_both_places_is_taken_off_both(core: Core, script: Script) -> None:
    Viewer(core).get(f"/t/{TOKEN}/live/x/a?token={TOKEN}&x=1&%74%6fken=2", 1.0)
    assert script.targets == ["/live/x/a?x=1"]


@pytest.mark.parametrize(
    ("target", "words", "label"),
    [
        (LIST, b"wants a playback token", "missing"),
        (f"/t/{LIST}", b"wants a playback token", "missing"),
        (f"{LIST}?token=", b"wants a playback token", "missing"),
        (f"/t/nonsense{LIST}", b"no playback token", "malformed"),
        (f"/t/{TOKEN}?x=1", b"no playback token", "malformed"),
        (f"/t/{TOKEN}?/live/x/a", b"no playback token", "malformed"),
        (f"/t/..{LIST}", b"no playback token", "malformed"),
        (f"/t/%2e%2e{LIST}", b"no playback token", "malformed"),
        (f"/t/a%2Fb{LIST}", b"no playback token", "malformed"),
        (f"/t/%zz{LIST}", b"no playback token", "malformed"),
        (f"/t/%00{LIST}", b"no playback token", "malformed"),
        (f"/t/{'x' * 5_000}{LIST}", b"no playback token", "malformed"),
        (f"/t/{'%41' * 2_500}{LIST}", b"no playback token", "malformed"),
        (f"/t/{TOKEN}/t/{TOKEN}{LIST}", b"no playback token", "malformed"),
        (f"/t/{TOKEN}/%74/{TOKEN}{LIST}", b"no playback token", "malformed"),
        (f"/t/{minted('/', 1)}/live/x/a", b"has expired", "expired"),
        (f"/t/{minted('/', not_before=UNIX + 60)}/live/x/a", b"not valid yet", "early"),
        (f"/t/{TOKEN}/live/y/a", b"does not open this path", "path"),
        (f"/t/{TOKEN}", b"does not open this path", "path"),
        (f"/t/{TOKEN}/", b"does not open this path", "path"),
        (f"/t/{TOKEN}//live/x/a", b"does not open this path", "path"),
        (f"/t/{TOKEN[:-2]}zz{LIST}", b"not genuine", "signature"),
        (f"/t/{TOKEN.replace('h1.a', 'h1.b')}{LIST}", b"a key that is not known", "unknown-key"),
        (f"/t/eyJhbGciOiJub25lIn0.e30.{LIST}", b"no playback token", "malformed"),
        (f"{LIST}?token={TOKEN[:-2]}zz", b"not genuine", "signature"),
        (f"/t/{minted(networks=['192.0.2.0/24'])}{LIST}", b"for another address", "address"),
    ],
)
def test_refusals_say_why_and_ask_nobody(core: Core, script: Script, target: str, words: bytes, label: str) -> None:
    viewer = Viewer(core).get(target, 10.0, visitor=Visitor("198.51.100.1"))
    assert viewer.status == 403
    assert words in viewer.body
    assert viewer.header("cache-control") == "no-store"
    assert viewer.header("access-control-allow-origin") == "*"
    assert counts(core) == {label: 1}
    assert core.tally.refused == {f"token-{label}": 1}
    assert not script.seen


@pytest.mark.parametrize(
    "path", ["/live/x/../y", "/live/x/%2e%2e/y", "/live%2Fx", "/live/x/%00", "/live/x/%zz", "/a\\b"]
)
def test_paths_that_are_refused_are_refused_behind_a_token_too(core: Core, script: Script, path: str) -> None:
    assert Viewer(core).get(f"/t/{minted('/')}{path}", 1.0).status == 400
    assert Viewer(core).get(f"{path}?token={minted('/')}", 1.0).status == 400
    assert not script.seen


def test_an_escaped_prefix_and_an_escaped_token_are_the_same(core: Core, script: Script) -> None:
    Viewer(core).get(f"/%74/{TOKEN}/live/x/a", 1.0)
    Viewer(core).get(f"/t/{TOKEN.replace('.', '%2E').replace('h', '%68')}/live/x/a", 1.0)
    assert script.targets == ["/live/x/a"]
    assert counts(core) == {"ok": 2}


def test_reports_of_players_count_for_the_path_behind_the_token(core: Core, script: Script) -> None:
    stream = LiveStream()
    Viewer(core).get(f"/t/{TOKEN}{LIST}", 1.0)
    script.playlist(LIST, 1.0, stream)
    for token in (TOKEN, minted("/", 0.5)):
        Viewer(core).get(f"/t/{token}{LIST}?CMCD=bl%3D1500%2Csid%3D%22a%22", 1.0, visitor=Visitor("192.0.2.9"))
    assert [quality.reports for _, quality in core.audience.qualities()] == [1], "a refused request reports nothing"


def test_an_address_is_the_viewers(core: Core, script: Script) -> None:
    target = f"/t/{minted(networks=['192.0.2.0/24'])}/live/x/a"
    assert Viewer(core).get(target, 1.0).status == 403
    Viewer(core).get(target, 1.0, visitor=Visitor("192.0.2.9"))
    assert script.targets == ["/live/x/a"]


def test_a_token_that_expires_while_its_viewer_watches(core: Core, script: Script) -> None:
    stream = LiveStream()
    token = minted(expires=10)
    Viewer(core).get(f"/t/{token}{LIST}", 1.0)
    script.playlist(LIST, 1.0, stream)
    held = Viewer(core).get(f"/t/{token}{LIST}?_HLS_msn={stream.msn}&_HLS_part=0", 9.9)
    stream.step()
    script.playlist(script.targets[0], 11.0, stream)
    assert held.status == 200, "what was admitted is answered"
    late = Viewer(core).get(f"/t/{token}{LIST}", 10.0)
    assert (late.status, late.body) == (403, b"403 Forbidden: the playback token has expired\n")
    assert counts(core) == {"ok": 2, "expired": 1}


def test_keys_rotate_without_a_break(core: Core) -> None:
    assert core.gate is not None
    assert Viewer(core).get(f"/t/{TOKEN}/live/x/../a", 1.0).status == 400
    core.gate.use_secrets({"a": SECRET, "b": b"another-secret-of-length"})
    new = mint("b", b"another-secret-of-length", expires=UNIX + 100, paths=["/"])
    for token in (TOKEN, new):
        assert not Viewer(core).get(f"/t/{token}/live/x/a", 1.0).answers
    core.gate.use_secrets({"b": b"another-secret-of-length"})
    assert Viewer(core).get(f"/t/{TOKEN}/live/x/a", 1.0).status == 403
    assert not Viewer(core).get(f"/t/{new}/live/x/a", 1.0).answers


def test_what_needs_no_token(core: Core, script: Script) -> None:
    assert Viewer(core).get("/healthz", 1.0).status == 200
    assert Viewer(core).get(f"/t/{TOKEN}/healthz", 1.0).status == 200
    assert Viewer(core).get("/readyz", 1.0).status == 200
    assert Viewer(core).get(LIST, 1.0, Method.OPTIONS).status == 204
    Viewer(core).get("/assets/a.js", 1.0)
    Viewer(core).get(f"/t/{TOKEN}/assets/a.js", 1.0)
    Viewer(core).get("/t/any/assets/a.js", 1.0)
    assert script.targets == ["/assets/a.js"]
    assert Viewer(core).get("/assets", 1.0).status == 403
    assert Viewer(core).get("/healthz/x", 1.0).status == 403


def test_only_genuine_tokens_are_remembered_and_not_too_many(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "MAX_GRANTS", 3)
    calls: list[str] = []

    def noted(token: str, secrets: Mapping[str, bytes]) -> Grant | Verdict:
        calls.append(token)
        return verify(token, secrets)

    monkeypatch.setattr(gate_module, "verify", noted)

    def ask(token: str, now: float = 1.0) -> None:
        Viewer(core).get(f"/t/{token}/live/x/a", now)

    tokens = [minted(expires=10 + n) for n in range(4)]
    for token in (tokens[0], tokens[1], tokens[2], tokens[0]):
        ask(token)
    assert calls == tokens[:3], "verified once"
    ask(tokens[3])
    ask(tokens[0])
    assert len(calls) == 4, "the least used was forgotten"
    ask(tokens[1])
    assert len(calls) == 5
    for _ in range(5):
        ask("h1.a.e30.forged")
    ask(tokens[1])
    assert len(calls) == 10
    ask(tokens[1], 50.0)
    ask(tokens[1], 50.0)
    assert len(calls) == 11, "an expired one is not kept"


def test_a_key_set_that_is_not_there_yet_is_503(core: Core) -> None:
    assert core.gate is not None
    core.gate.expect_jwt(lambda: None)
    viewer = Viewer(core).get(f"/t/eyJhbGciOiJub25lIn0.e30.x{LIST}", 1.0)
    assert (viewer.status, viewer.header("retry-after")) == (503, "1")
    assert counts(core) == {"no-keys": 1}


def test_without_a_gate_a_prefix_is_a_path_like_any(script: Script) -> None:
    core = make_core(script)
    Viewer(core).get("/t/x/a?token=1", 1.0)
    assert script.targets == ["/t/x/a?token=1"]


def test_every_verdict_has_a_label_of_its_own() -> None:
    gate = Gate((), Tally())
    assert len({verdict.label for verdict in gate.counts}) == len(Verdict)
    assert MAX_TOKEN_BYTES < 16_384
