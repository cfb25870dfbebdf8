"""Where token keys come from, on real files and a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from aiohttp import web
from tests.edge_house import until

from headwater.config.settings_viewers import Tokens
from headwater.edge import keyring
from headwater.edge.gate import Gate
from headwater.edge.jwts import KeySet
from headwater.edge.keyring import KeyFileError, Keyring, read_key_file, read_key_set, secrets_of
from headwater.edge.message import Tally

SECRET = "a-secret-of-some-length"
OCT = {"keys": [{"kty": "oct", "kid": "o", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}


class Heard(Gate):
    """A gate that notes which keys it is given."""

    def __init__(self) -> None:
        super().__init__((), Tally())
        self.secrets: list[dict[str, bytes]] = []
        self.sets = 0

    def use_secrets(self, secrets: object) -> None:
        self.secrets.append(dict(secrets))  # type: ignore[call-overload]

    def use_key_set(self, key_set: KeySet) -> None:
        self.sets += 1


def settings(**tokens: object) -> Tokens:
    return Tokens.model_validate(tokens)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# the first signs\n\nb  {SECRET}-b\n a\t{SECRET}\n")
    return path


def test_a_key_file_in_its_order(file: Path) -> None:
    assert list(read_key_file(file).items()) == [("b", f"{SECRET}-b".encode()), ("a", SECRET.encode())]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 keys"),
        ("a", "line 1: not an id"),
        ("a short", "line 1: not an id"),
        (f"a {SECRET} more", "line 1: not an id"),
        (f"a:b {SECRET}", "line 1: not an id"),
        (f"a {SECRET}\na {SECRET}", "line 2: the id a is there twice"),
        ("\n".join(f"k{n} {SECRET}" for n in range(65)), "65 keys"),
        (f"a {SECRET}{'x' * 70_000}", "larger than"),
    ],
)
def test_key_files_that_are_refused_without_a_secret_in_the_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(KeyFileError, match=words) as caught:
        read_key_file(path)
    assert SECRET not in str(caught.value)


def test_settings_come_before_the_file_and_ids_are_there_once(file: Path, tmp_path: Path) -> None:
    key = {"id": "c", "secret": SECRET}
    assert list(secrets_of(settings(keys=[key], key_file=file))) == ["c", "b", "a"]
    assert secrets_of(settings()) == {}
    with pytest.raises(KeyFileError, match="is also in edge"):
        secrets_of(settings(keys=[{**key, "id": "a"}], key_file=file))
    with pytest.raises(KeyFileError, match="cannot be read"):
        secrets_of(settings(key_file=tmp_path / "none"))


def test_a_key_set_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(OCT))
    found = read_key_set(settings(jwt={"jwks": str(path)}))
    assert found is not None
    assert len(found) == 1
    assert read_key_set(settings(jwt={"jwks": "https://127.0.0.1:1/jwks"})) is None
    path.write_text("{}")
    with pytest.raises(KeyFileError, match="not a JSON Web Key Set"):
        read_key_set(settings(jwt={"jwks": str(path)}))


def test_files_are_read_again_when_they_change_and_bad_ones_are_not_taken(file: Path, tmp_path: Path) -> None:
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(OCT))
    gate = Heard()
    ring = Keyring(settings(key_file=file, jwt={"jwks": str(jwks)}), gate)
    ring.start()
    ring.look(10.0)
    assert (len(gate.secrets), gate.sets) == (1, 1)
    replacement = tmp_path / "new"
    replacement.write_text(f"n {SECRET}\n")
    os.replace(replacement, file)
    ring.look(10.5)
    assert len(gate.secrets) == 1, "not before it is time"
    ring.look(12.5)
    assert gate.secrets[-1] == {"n": SECRET.encode()}
    file.write_text("broken")
    jwks.write_text(json.dumps({"keys": [*OCT["keys"], {}]}))
    ring.look(20.0)
    assert (len(gate.secrets), gate.sets) == (2, 2)
    file.unlink()
    ring.look(30.0)
    assert len(gate.secrets) == 2
    file.write_text(f"m {SECRET}\n")
    ring.hurry()
    ring.look(30.1)
    assert gate.secrets[-1] == {"m": SECRET.encode()}, "at once, when somebody asks for it"


async def test_a_key_set_behind_a_url_is_fetched_again_for_a_key_that_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyring, "RETRY_S", 0.01)
    answers = [
        web.Response(status=500),
        web.Response(text="nonsense"),
        web.Response(body=b" " * 300_000),
        web.json_response(OCT),
        web.json_response({"keys": [*OCT["keys"], {}]}),
    ]
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return answers[min(len(asked), len(answers)) - 1]

    app = web.Application()
    app.router.add_get("/jwks", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    gate = Heard()
    heard: list[object] = []
    monkeypatch.setattr(gate, "expect_jwt", heard.append)
    ring = Keyring(settings(jwt={"jwks": url, "refresh_s": 600}), gate)
    try:
        ring.start()
        await until(lambda: gate.sets == 1)
        assert len(asked) == 4, "it is asked until it answers"
        await asyncio.sleep(0.05)
        assert len(asked) == 4
        heard[0]()  # type: ignore[operator]
        await until(lambda: gate.sets == 2)
        assert len(asked) == 5
        await asyncio.sleep(0.05)
        ring.hurry()
        await until(lambda: len(asked) == 6)
    finally:
        await ring.close()
        await runner.cleanup()
