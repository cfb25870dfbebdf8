"""Settings of SRT: defaults, what contradicts, what is kept secret."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headwater.config.load import from_handover, handover
from headwater.config.logs import secrets_of
from headwater.config.settings import Settings

PULL = {"name": "cam", "url": "srt://10.0.0.1:9000?passphrase=in-the-url&latency=300&streamid=live/cam"}


def test_the_defaults_are_safe_and_those_of_the_design() -> None:
    srt = Settings().ingest.srt
    assert (srt.enabled, srt.host, srt.port, srt.latency_ms, srt.early_release) == (True, None, 8890, 120, True)
    assert srt.passphrase is None and srt.default_stream is None


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        ({"srt": {"latency_ms": 500, "max_latency_ms": 400}}, "latency_ms"),
        ({"srt": {"limits": {"inbox_bytes": 1000}}}, "inbox_bytes"),
        ({"srt": {"limits": {"buffer_bytes": 1000}}}, "buffer_bytes"),
        ({"pull": [PULL, PULL]}, "pull.1.name"),
        ({"pull": [{**PULL, "url": "srt://h:1?mode=listener"}]}, "url"),
        ({"pull": [{**PULL, "retry_min_s": 60}]}, "retry_min_s"),
        (
            {
                "publish": [
                    {"name": "*", "key": "key-of-all", "passphrase": f"passphrase-{index}"} for index in range(2)
                ]
            },
            "publish.1.passphrase",
        ),
    ],
)
def test_values_that_contradict_each_other(tree: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"ingest": tree})
    (error,) = caught.value.errors()
    assert error["type"] == "setting" and error["ctx"]["key"] == where


@pytest.mark.parametrize("passphrase", ["short", "x" * 80])
def test_passphrases_have_the_length_that_libsrt_wants(passphrase: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"ingest": {"srt": {"passphrase": passphrase}}})


def test_what_stands_beside_the_url_wins() -> None:
    pull = Settings.model_validate({"ingest": {"pull": [PULL]}}).ingest.pull[0]
    assert (pull.target.passphrase, pull.target.latency_ms) == ("in-the-url", 300)
    own = Settings.model_validate({"ingest": {"pull": [{**PULL, "passphrase": "another-one", "latency_ms": 90}]}})
    target = own.ingest.pull[0].target
    assert (target.passphrase, target.latency_ms, target.stream_id) == ("another-one", 90, "live/cam")


def test_secrets_reach_children_and_no_log() -> None:
    tree = {
        "srt": {"passphrase": "passphrase-of-all"},
        "publish": [{"name": "a", "key": "key-of-a-1", "passphrase": "passphrase-a"}],
        "pull": [PULL],
    }
    settings = Settings.model_validate({"ingest": tree})
    assert from_handover(handover(settings)) == settings
    secrets = {"passphrase-of-all", "passphrase-a", "key-of-a-1", "in-the-url", PULL["url"]}
    assert set(secrets_of(settings)) == secrets
    assert not any(secret in repr(settings) for secret in secrets)
