"""`headwater token`."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.config.cli import main
from headwater.config.settings_viewers import Tokens
from headwater.config.token import TokenOptions, UsageError, seconds, url_with_token
from headwater.edge.tokens import Grant, Verdict, verify

SECRET = "a-secret-of-some-length"
NOW = 1_800_000_000.0
CONFIGURED = Tokens.model_validate({"keys": [{"id": "one", "secret": SECRET}, {"id": "two", "secret": SECRET + "2"}]})


def minted(target: str, configured: Tokens = CONFIGURED, **options: object) -> tuple[str, Grant]:
    url = url_with_token(TokenOptions(target=target, **options), configured, NOW)  # type: ignore[arg-type]
    token = url.partition("/t/")[2].partition("/")[0]
    grant = verify(token, {"one": SECRET.encode(), "two": f"{SECRET}2".encode(), "k": SECRET.encode()})
    assert isinstance(grant, Grant), grant
    return url.replace(token, "TOKEN"), grant


def test_a_url_and_what_it_opens() -> None:
    url, grant = minted("https://edge.example:8443/live/x/index.m3u8?a=1")
    assert url == "https://edge.example:8443/t/TOKEN/live/x/index.m3u8?a=1"
    assert (grant.paths, grant.expires, grant.not_before, grant.networks) == (("/live/x/",), NOW + 6 * 3_600, 0.0, ())


def test_a_path_and_all_options(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"a {SECRET}x\nk {SECRET}\n")
    url, grant = minted(
        "/live/x/", key_file=file, key_id="k", expires="90m", not_before="1d", paths=("/live/", "/streams.json"),
        addresses=("192.0.2.0/24",),
    )  # fmt: skip
    assert url == "/t/TOKEN/live/x/"
    assert grant.not_before == NOW + 86_400
    assert grant.expires == NOW + 86_400 + 5_400
    assert grant.judge("/streams.json", "192.0.2.7", NOW + 86_400) is Verdict.OK


def test_the_key_itself() -> None:
    assert minted("/", key=f"k:{SECRET}")[1].paths == ("/",)
    assert minted("/", key_id="two")[1].paths == ("/",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "live/x"}, "begins with a slash"),
        ({"target": "https://edge.example"}, "begins with a slash"),
        ({"target": "/", "expires": "soon"}, "soon: not a time"),
        ({"target": "/", "key": "short"}, "--key: not ID:SECRET"),
        ({"target": "/", "key": "k:short"}, "--key: not ID:SECRET"),
        ({"target": "/", "key_id": "three"}, "there are one, two"),
        ({"target": "/", "key_file": Path("/nowhere/keys")}, "cannot be read"),
        ({"target": "/", "addresses": ("here",)}, "203.0.113.7"),
        ({"target": "/", "paths": ("live",)}, "begins with a slash"),
    ],
)
def test_what_cannot_be_minted(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        url_with_token(TokenOptions(**options), CONFIGURED, NOW)  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


def test_times() -> None:
    assert [seconds(text) for text in ("5", "5s", "5m", "5h", "5d")] == [5, 5, 300, 18_000, 432_000]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["token", "/live/x/index.m3u8"]) == 2
    assert "no key: give --key-file or --key" in capsys.readouterr().err
    (tmp_path / "headwater.toml").write_text(f'[edge.tokens]\nkeys = [{{ id = "one", secret = "{SECRET}" }}]\n')
    assert main(["token", "/live/x/index.m3u8", "--expires", "1h", "--ip", "::1", "--path", "/live/"]) == 0
    url = capsys.readouterr().out.strip()
    grant = verify(url.split("/")[2], {"one": SECRET.encode()})
    assert isinstance(grant, Grant)
    assert grant.paths == ("/live/",)
    assert str(grant.networks[0]) == "::1/128"


def test_secrets_are_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "headwater.toml").write_text(f'[edge.tokens]\nkeys = [{{ id = "one", secret = "{SECRET}" }}]\n')
    for form in ([], ["--toml"], ["edge.tokens"]):
        assert main(["config", "show", *form]) == 0
        out = capsys.readouterr().out
        assert SECRET not in out
        assert '"one"' in out
    (tmp_path / "headwater.toml").write_text(
        f'[edge.tokens]\nkeys = [{{ id = "one", secret = "{SECRET}" }}, {{ id = "one", secret = "{SECRET}" }}]\n'
    )
    assert main(["config", "check"]) == 2
    err = capsys.readouterr().err
    assert "edge.tokens.keys[1].id" in err
    assert SECRET not in err
    (tmp_path / "headwater.toml").write_text(
        '[edge.tokens]\nkey_file = "nowhere"\n[edge.tokens.jwt]\njwks = "no-set"\n'
    )
    assert main(["config", "check"]) == 2
    err = capsys.readouterr().err
    assert "edge.tokens.key_file: nowhere: cannot be read" in err
    assert "edge.tokens.jwt.jwks: no-set: cannot be read" in err
