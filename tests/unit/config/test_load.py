"""Settings from file, environment and flags: the order, the sources, and what each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater.config.describe import Loaded, environment_name
from headwater.config.load import ConfigError, check_files, from_handover, handover, load
from headwater.loadtest.bench.certificates import self_signed


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def from_text(text: str, env: dict[str, str] | None = None, flags: list[tuple[str, str]] | None = None) -> Loaded:
    file = Path("given.toml")
    file.write_text(text)
    return load(file, env or {}, flags or [])


def problems(
    text: str = "", env: dict[str, str] | None = None, flags: list[tuple[str, str]] | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        from_text(text, env, flags)
    return str(caught.value).split("\n")


def test_nothing_given_is_all_defaults() -> None:
    loaded = load(None, {"PATH": "/bin"})
    assert loaded.settings.edge.http.port == 8080
    assert loaded.sources == {}
    assert loaded.file is None
    assert loaded.source("edge.http.port") == "default"


def test_the_file_in_the_working_directory_is_found() -> None:
    Path("headwater.toml").write_text("[edge.http]\nport = 8090\n")
    loaded = load(None, {})
    assert loaded.settings.edge.http.port == 8090
    assert loaded.source("edge.http.port") == "headwater.toml"


def test_later_sources_win_and_are_known() -> None:
    loaded = from_text(
        "[edge.http]\nport = 1\nidle_s = 5\nbacklog = 7\n",
        {"HEADWATER_EDGE__HTTP__PORT": "2", "HEADWATER_EDGE__HTTP__IDLE_S": "6"},
        [("edge.http.port", "3")],
    )
    http = loaded.settings.edge.http
    assert (http.port, http.idle_s, http.backlog) == (3, 6, 7)
    assert loaded.source("edge.http.port") == "flag --edge.http.port"
    assert loaded.source("edge.http.idle_s") == "environment HEADWATER_EDGE__HTTP__IDLE_S"
    assert loaded.source("edge.http.backlog") == "given.toml"


def test_lists_of_tables() -> None:
    loaded = from_text('[[ingest.publish]]\nname = "a"\nkey = "long-secret"\n')
    assert loaded.settings.ingest.publish[0].key.get_secret_value() == "long-secret"
    loaded = from_text("", {"HEADWATER_INGEST__PUBLISH": '[{name = "*", key = "other-secret"}]'})
    assert loaded.settings.ingest.publish[0].key.get_secret_value() == "other-secret"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[edge.http]\nprot = 80", "given.toml: edge.http.prot = 80: unknown key; did you mean edge.http.port?"),
        ("[edg]\nnode = 'x'", "given.toml: edg: unknown key; did you mean edge?"),
        ("zzzzzzzz = 1", "given.toml: zzzzzzzz = 1: unknown key"),
        ("edge = 3", "given.toml: edge: a table of settings, not a setting"),
        ("[edge.http]\nport = '80'", 'given.toml: edge.http.port = "80": not a whole number'),
        ("[edge.http]\nport = 80.5", "given.toml: edge.http.port = 80.5: not a whole number"),
        ("[edge.http]\nport = true", "given.toml: edge.http.port = true: not a whole number"),
        ("[edge.http]\nport = 70000", "given.toml: edge.http.port = 70000: above the greatest value, 65535"),
        ("[edge.http]\nbacklog = 0", "given.toml: edge.http.backlog = 0: below the least value, 1"),
        ("[edge.http]\nidle_s = 0", "given.toml: edge.http.idle_s = 0: not above 0.0"),
        ("[edge.http]\nidle_s = '1'", 'given.toml: edge.http.idle_s = "1": not a number'),
        ("[edge.http]\nidle_s = inf", "given.toml: edge.http.idle_s = Infinity: above the greatest value, 86400.0"),
        ("[edge.http]\nport = [1]", "given.toml: edge.http.port = [1]: not a whole number"),
        ("[edge]\nnode = 5", "given.toml: edge.node = 5: not a text"),
        ("[edge]\nupstream = 'x'", 'given.toml: edge.upstream = "x": does not match ^(https?://'),
        ("[ingest]\napplications = 'x'", 'given.toml: ingest.applications = "x": not a list'),
        ("[ingest.rtmp]\nenabled = 1", "given.toml: ingest.rtmp.enabled = 1: not true or false"),
        ("[demo]\nwidth = 321", "given.toml: demo.width = 321: not a multiple of 2"),
        (
            "[log]\nlevel = 'loud'",
            "given.toml: log.level = \"loud\": not one of 'debug', 'info', 'warning' or 'error'",
        ),
        ("[edge.http]\nport = 2020-01-01", 'given.toml: edge.http.port = "2020-01-01": not a whole number'),
        ("[origin]\nsegment_s = 5", "given.toml: origin.segment_s = 5: longer than `target_duration_s`, 4 s"),
        ("[origin]\nfirst_playlist_s = 90", "given.toml: origin.first_playlist_s = 90: longer than `window_s`, 60 s"),
        (
            "[origin]\ntarget_duration_s = 14",
            "default: edge.upstream_timeout_s = 40: not above three target durations of the origin, 42 s",
        ),
        (
            "[ingest.rtmp]\nprivate_key = 'k.pem'",
            "given.toml: ingest.rtmp.private_key = (hidden): needs `certificate` beside it",
        ),
        ("[edge]\nobject_bytes = 2147483648", "given.toml: edge.object_bytes = 2147483648: more than `cache_bytes`"),
    ],
)
def test_a_mistake_in_the_file(text: str, message: str) -> None:
    (line,) = problems(text)
    assert line.startswith(message)


def test_members_of_lists_are_named_and_secrets_hidden() -> None:
    lines = problems('[ingest]\npublish = [{name = "a b", key = "short", kye = "hidden-too"}, {name = "c"}]')
    assert lines == [
        'given.toml: ingest.publish[0].name = "a b": does not match ^(\\*|[A-Za-z0-9_-]{1,64})$',
        "given.toml: ingest.publish[0].key = (hidden): shorter than 8 characters",
        "given.toml: ingest.publish[0].kye = (hidden): unknown key; did you mean key?",
        "given.toml: ingest.publish[1].key: missing",
    ]


def test_a_list_with_secrets_is_never_shown_whole() -> None:
    assert problems(env={"HEADWATER_INGEST__PUBLISH": "[{name='a', key='tell-nobody"}) == [
        "environment HEADWATER_INGEST__PUBLISH: ingest.publish = (hidden): not a list as TOML writes it"
    ]


def test_mistakes_in_environment_and_flags() -> None:
    assert problems(env={"HEADWATER_EDGE__HTTP__PROT": "1"}) == [
        'environment HEADWATER_EDGE__HTTP__PROT: edge.http.prot = "1": unknown key; '
        "did you mean HEADWATER_EDGE__HTTP__PORT?"
    ]
    assert problems(env={"HEADWATER_EDGE__HTTP__PORT": "x"}) == [
        'environment HEADWATER_EDGE__HTTP__PORT: edge.http.port = "x": not a whole number'
    ]
    assert problems(flags=[("edge.port", "1")]) == [
        'flag --edge.port: edge.port = "1": unknown key; did you mean --edge.http.port?'
    ]
    assert problems(flags=[("edge.http", "1")]) == ["flag --edge.http: edge.http: a table of settings, not a setting"]
    assert problems(flags=[("edge.http.port", "70000")]) == [
        "flag --edge.http.port: edge.http.port = 70000: above the greatest value, 65535"
    ]


def test_every_mistake_is_told_at_once() -> None:
    lines = problems("[edge.http]\nprot = 1\nport = 'x'", {"HEADWATER_X": "1"})
    assert [line.partition(":")[0] for line in lines] == ["given.toml", "environment HEADWATER_X", "given.toml"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[edge", "not valid TOML: "),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"#" * ((1 << 20) + 1), "larger than 1048576 bytes"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_used(content: bytes | None, reason: str) -> None:
    file = Path("bad.toml")
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value).startswith(f"bad.toml: {reason}")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_files_that_the_settings_name() -> None:
    Path("cert.pem").write_text("no certificate")
    loaded = from_text("[ingest.rtmp]\ncertificate = 'cert.pem'\n[state]\ndir = 'cert.pem'")
    with pytest.raises(ConfigError) as caught:
        check_files(loaded)
    first, second = caught.value.problems
    assert (first.where, first.key) == ("given.toml", "ingest.rtmp.certificate")
    assert "no usable PEM certificate" in first.reason
    assert second.reason == "not a folder"
    check_files(from_text(""))


def test_a_private_key_with_a_passphrase_is_an_error_and_no_question() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    form = serialization.BestAvailableEncryption(b"a passphrase")
    pem = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form)
    Path("key.pem").write_bytes(pem)
    certificate = self_signed(Path())
    with pytest.raises(ConfigError) as caught:
        check_files(from_text(f"[ingest.rtmp]\ncertificate = '{certificate}'\nprivate_key = 'key.pem'"))
    [problem] = caught.value.problems
    assert (problem.where, problem.key) == ("given.toml", "ingest.rtmp.private_key")
    assert "passphrase" in problem.reason
    assert "key.pem" not in str(problem), "values under such names are hidden"


def test_a_list_that_may_not_be_empty() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, [("ingest.applications", "[]")])
    assert str(caught.value) == "flag --ingest.applications: ingest.applications = []: fewer entries than 1"


def test_bytes_that_are_no_text_show_no_secret() -> None:
    env = {
        "HEADWATER_EDGE__NODE": "a\udc80",
        "HEADWATER_INGEST__PUBLISH": '[{ name = "*", key = "long-secret" }]',
    }
    with pytest.raises(ConfigError) as caught:
        load(None, env)
    assert str(caught.value) == "environment HEADWATER_EDGE__NODE: edge.node: not UTF-8 text"


def test_the_hand_over_keeps_everything() -> None:
    settings = from_text(
        "[[ingest.publish]]\nname = 'a'\nkey = 'long-secret'\n[state]\ndir = 'x/y'\n[edge]\nupstream = 'http://h:1'\n"
    ).settings
    line = handover(settings)
    assert "\n" not in line
    assert from_handover(line) == settings


def test_a_bad_hand_over_shows_no_value() -> None:
    with pytest.raises(ConfigError) as caught:
        from_handover('{"ingest": {"publish": [{"name": "a", "key": "tell"}]}}')
    assert "tell" not in str(caught.value)


def test_environment_names() -> None:
    assert environment_name("edge.http.port") == "HEADWATER_EDGE__HTTP__PORT"


def test_certificates_for_viewers_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    self_signed(tmp_path)
    good = "[[edge.http.tls.certificates]]\ncertificate = 'certificate.pem'\n"
    check_files(from_text(good))
    with pytest.raises(ConfigError) as caught:
        check_files(from_text(good + "[[edge.http.tls.certificates]]\ncertificate = 'none.pem'\n"))
    (problem,) = caught.value.problems
    assert (problem.where, problem.key) == ("given.toml", "edge.http.tls.certificates[1].certificate")
    assert (problem.value, problem.reason) == ('"none.pem"', "there is no such file")


def test_a_port_for_viewers_is_used_once() -> None:
    with pytest.raises(ConfigError, match="the same port as"):
        from_text("[edge.http.tls]\nport = 8080\n[[edge.http.tls.certificates]]\ncertificate = 'a.pem'\n")
