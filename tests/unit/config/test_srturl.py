"""SRT URLs as the tools write them."""

from __future__ import annotations

import pytest

from headwater.config.srturl import BadSrtUrl, SrtUrl, parse_srt_url


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("srt://10.0.0.1:9000", SrtUrl("10.0.0.1", 9000)),
        ("srt://cam.example.org:1?mode=caller", SrtUrl("cam.example.org", 1)),
        ("srt://[2001:db8::1]:8890/?latency=400", SrtUrl("2001:db8::1", 8890, latency_ms=400)),
        (
            "srt://h:1?streamid=#!::r=live/x,m=request&passphrase=long%20enough&pbkeylen=32",
            SrtUrl("h", 1, "#!::r=live/x,m=request", "long enough", None, 32),
        ),
        ("SRT://h:1?streamid=read:a%3Db&transtype=live&pkt_size=1316&pbkeylen=0", SrtUrl("h", 1, "read:a=b")),
    ],
)
def test_what_can_be_called(url: str, parsed: SrtUrl) -> None:
    assert parse_srt_url(url) == parsed


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rtmp://h/live/x", "not an SRT URL"),
        ("h:9000", "not an SRT URL"),
        ("srt://h", "port"),
        ("srt://h:0", "port"),
        ("srt://h:65536", "port"),
        ("srt://h:99999999999999", "port"),
        ("srt://:9000", "host"),
        ("srt://user@h:9000", "host"),
        ("srt://h:1?mode=listener", "mode"),
        ("srt://h:1?passphrase=short", "passphrase"),
        ("srt://h:1?passphrase=" + "x" * 80, "passphrase"),
        ("srt://h:1?latency=120000", "milliseconds"),
        ("srt://h:1?latency=-1", "latency"),
        ("srt://h:1?latency=\u0663", "latency"),
        ("srt://h:1?pbkeylen=17", "pbkeylen"),
        ("srt://h:1?streamid=a&streamid=b", "twice"),
        ("srt://h:1?streamid=" + "ü" * 257, "streamid"),
        ("srt://h:1?pasphrase=long-enough-secret", "unknown parameter 'pasphrase'"),
    ],
)
def test_what_cannot(url: str, reason: str) -> None:
    with pytest.raises(BadSrtUrl, match=reason) as caught:
        parse_srt_url(url)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    parsed = parse_srt_url("srt://[::1]:9?streamid=x?key=secret&passphrase=secret-secret")
    assert "secret" not in repr(parsed)
    assert parsed.shown == "srt://[::1]:9"
