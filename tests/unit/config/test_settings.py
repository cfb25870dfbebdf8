"""The tree of settings: defaults that hold together, values that do not change."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headwater.config.settings import Settings


def test_the_defaults_are_valid_and_safe() -> None:
    settings = Settings()
    assert settings.ingest.publish == ()
    assert settings.ingest.rtmp.host is None
    assert {settings.origin.http.host, settings.origin.admin.host, settings.edge.admin.host} == {"127.0.0.1"}


def test_the_ports_of_the_design() -> None:
    settings = Settings()
    assert (settings.edge.http.port, settings.origin.http.port) == (8080, 8081)
    assert (settings.ingest.rtmp.port, settings.ingest.rtmp.tls_port) == (1935, 1936)
    assert (settings.origin.admin.port, settings.edge.admin.port) == (9601, 9602)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings().edge.http, "port", 1)  # noqa: B010  # mypy forbids the plain form


@pytest.mark.parametrize(
    "tree",
    [
        {"ingest": {"rtmp": {"private_key": "k.pem"}}},
        {"ingest": {"rtmp": {"certificate": "c.pem", "port": 5, "tls_port": 5}}},
        {"origin": {"segment_s": 5}},
        {"origin": {"segment_s": 0.5, "part_target_ms": 520}},
        {"origin": {"first_playlist_s": 61}},
        {"origin": {"target_duration_s": 14}},
        {"edge": {"cache_bytes": 1}},
    ],
)
def test_values_that_contradict_each_other(tree: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(tree)
    assert caught.value.errors()[0]["type"] == "setting"


def test_ports_left_to_the_system_may_be_the_same() -> None:
    Settings.model_validate({"ingest": {"rtmp": {"certificate": "c.pem", "port": 0, "tls_port": 0}}})
