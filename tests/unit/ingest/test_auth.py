"""Who may publish what."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from headwater.config.settings import Ingest, Publish
from headwater.ingest.auth import Authority, Refusal

KEYS = (Publish(name="demo", key=SecretStr("demo-key-1")), Publish(name="*", key=SecretStr("schlüssel&")))


@pytest.mark.parametrize(
    ("app", "name", "key", "refusal"),
    [
        ("live", "demo", "demo-key-1", None),
        ("live", "demo", "schl%C3%BCssel%26", None),
        ("live", "other", "schlüssel&", None),
        ("live", "other", "demo-key-1", Refusal.KEY),
        ("live", "demo", "demo-key-", Refusal.KEY),
        ("live", "demo", "", Refusal.KEY),
        ("live", "demo", "%ff%fe\ud800", Refusal.KEY),
        ("vod", "demo", "demo-key-1", Refusal.APPLICATION),
        ("", "demo", "demo-key-1", Refusal.APPLICATION),
        ("live", "", "demo-key-1", Refusal.NAME),
        ("live", "a" * 65, "demo-key-1", Refusal.NAME),
        ("live", "../etc", "demo-key-1", Refusal.NAME),
        ("live", "demo\n", "demo-key-1", Refusal.NAME),
        ("live", "dämo", "demo-key-1", Refusal.NAME),
    ],
)
def test_keys_and_names(app: str, name: str, key: str, refusal: Refusal | None) -> None:
    authority = Authority(Ingest(publish=KEYS))
    assert not authority.open
    judged = authority.judge(app, name, {"key": key})
    assert (judged.refusal if judged is not None else None) is refusal
    assert judged is None or "demo-key" not in judged.description


def test_without_keys_everybody_may() -> None:
    authority = Authority(Ingest(applications=("live", "tv")))
    assert authority.open
    assert authority.judge("tv", "anything", {}) is None
