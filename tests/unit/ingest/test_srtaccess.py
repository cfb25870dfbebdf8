"""What callers ask for in their stream ids, which passphrase they need, and why they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.config.settings import Ingest
from headwater.ingest.auth import Authority, Refusal, Refused
from headwater.ingest.srt import ConnectionRequested, KeyRequest, RejectCode
from headwater.ingest.srt.streamid import parse
from headwater.ingest.srtaccess import CODES, Asked, passphrase_of, read

SALT = bytes(16)


def ask(settings: Ingest, stream_id: str, key_bytes: int = 0) -> Asked | Refused:
    encrypted = KeyRequest(SALT, key_bytes) if key_bytes else None
    return read(settings, ConnectionRequested(1, ("192.0.2.1", 9), parse(stream_id), encrypted, 0.12, "1.5.4"))


def ingest(**tree: Any) -> Ingest:
    return Ingest.model_validate(tree)


@pytest.mark.parametrize(
    ("stream_id", "app", "name", "key"),
    [
        ("publish:live/show", "live", "show", None),
        ("#!::r=live/show,m=publish", "live", "show", None),
        ("#!::r=tv/show,m=publish,key=secret-key", "tv", "show", "secret-key"),
        ("live/show?key=secret-key", "live", "show", "secret-key"),
        ("publish:live/show:user:secret-key", "live", "show", "secret-key"),
        ("show", "live", "show", None),
        ("", "live", "standard", None),
        ("a/b/show", "a/b", "show", None),
    ],
)
def test_what_is_asked_for(stream_id: str, app: str, name: str, key: str | None) -> None:
    asked = ask(ingest(srt={"default_stream": "standard"}), stream_id)
    assert isinstance(asked, Asked)
    assert (asked.wish.app, asked.wish.name, asked.wish.query.get("key")) == (app, name, key)
    assert asked.wish.by == "SRT 1.5.4"
    assert "secret-key" not in repr(asked)


SECRET = {"srt": {"passphrase": "of-all-callers"}}


@pytest.mark.parametrize(
    ("tree", "stream_id", "key_bytes", "refusal", "code"),
    [
        ({}, "", 0, Refusal.NAME, 2400),
        ({}, "#!::r=live/show,m=request", 0, Refusal.MODE, 2405),
        ({}, "read:live/show", 0, Refusal.MODE, 2405),
        ({}, "live/show", 16, Refusal.UNSECURE, 1011),
        (SECRET, "live/show", 0, Refusal.UNSECURE, 1011),
        ({"srt": {**SECRET["srt"], "key_lengths": [32]}}, "live/show", 16, Refusal.CIPHER, 1017),
    ],
)
def test_what_is_refused_before_anything_is_computed(
    tree: dict[str, Any], stream_id: str, key_bytes: int, refusal: Refusal, code: int
) -> None:
    refused = ask(ingest(**tree), stream_id, key_bytes)
    assert isinstance(refused, Refused)
    assert refused.refusal is refusal
    assert CODES[refused.refusal] == code


def test_the_nearest_passphrase_counts() -> None:
    settings = ingest(
        publish=[
            {"name": "*", "key": "key-of-all", "passphrase": "of-every-key"},
            {"name": "show", "key": "key-of-show", "passphrase": "of-the-show"},
        ],
        srt={"passphrase": "of-all-callers"},
    )
    assert passphrase_of(settings, "show") == ("of-the-show", True)
    assert passphrase_of(settings, "other") == ("of-every-key", True)
    assert passphrase_of(ingest(**SECRET), "show") == ("of-all-callers", False)
    assert passphrase_of(ingest(), "show") == (None, False)


def test_its_own_passphrase_opens_a_name_and_that_of_all_callers_does_not() -> None:
    own = ingest(publish=[{"name": "show", "key": "key-of-show", "passphrase": "of-the-show"}])
    common = ingest(publish=[{"name": "show", "key": "key-of-show"}], srt={"passphrase": "of-all-callers"})
    for settings, refusal in ((own, None), (common, Refusal.KEY)):
        asked = ask(settings, "publish:live/show", 16)
        assert isinstance(asked, Asked)
        wish = asked.wish
        judged = Authority(settings).judge(wish.app, wish.name, wish.query, proven=wish.proven)
        assert (judged.refusal if judged else None) is refusal
    asked = ask(common, "publish:live/show?key=key-of-show", 16)
    assert isinstance(asked, Asked)
    assert Authority(common).judge(asked.wish.app, asked.wish.name, asked.wish.query) is None


def test_every_reason_that_a_publish_may_be_refused_for_has_a_code() -> None:
    assert {CODES[refusal] for refusal in (Refusal.BUSY, Refusal.STREAMS, Refusal.DRAIN, Refusal.KEY)} == {
        RejectCode.CONFLICT,
        RejectCode.OVERLOAD,
        RejectCode.DOWN,
        RejectCode.FORBIDDEN,
    }
