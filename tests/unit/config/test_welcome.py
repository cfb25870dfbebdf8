"""What a started server says."""

from __future__ import annotations

from headwater.config import welcome
from headwater.config.settings import Settings
from headwater.config.welcome import EdgePorts, OriginPorts

ORIGIN = OriginPorts(http=8081, admin=9601, rtmp=1935, rtmps=None, srt=8890)
EDGE = EdgePorts(http=8080, admin=9602)
KEYS = {"publish": [{"name": "*", "key": "tell-nobody"}]}


def test_up_with_the_demo() -> None:
    text = welcome.up(Settings(), ORIGIN, EDGE, with_demo=True)
    assert "http://localhost:8080/live/demo/" in text
    assert "server      rtmp://localhost:1935/live\n" in text
    assert "stream key  NAME\n" in text
    assert "ffmpeg -re -i FILE -c copy -f flv 'rtmp://localhost:1935/live/NAME'" in text
    assert "srt://localhost:8890?streamid=publish:live/NAME\n" in text
    assert "http://localhost:8080/live/NAME/" in text
    assert "http://localhost:9601/metrics" in text
    assert "Only this machine can publish" in text
    assert "[[ingest.publish]]" in text


def test_up_without_the_demo() -> None:
    assert "/live/demo/" not in welcome.up(Settings(), ORIGIN, EDGE, with_demo=False)


def test_with_keys_nothing_needs_opening_and_no_key_is_shown() -> None:
    settings = Settings.model_validate({"ingest": KEYS})
    text = welcome.up(settings, ORIGIN, EDGE, with_demo=False)
    assert "stream key  NAME?key=YOUR-KEY" in text
    assert "srt://localhost:8890?streamid=publish:live/NAME?key=YOUR-KEY\n" in text
    assert "Only this machine" not in text
    assert "tell-nobody" not in text


def test_a_passphrase_is_asked_for_and_not_shown() -> None:
    settings = Settings.model_validate({"ingest": {"srt": {"passphrase": "tell-nobody-either"}}})
    text = welcome.up(settings, ORIGIN, EDGE, with_demo=False)
    assert "streamid=publish:live/NAME&passphrase=YOUR-PASSPHRASE\n" in text
    assert "Only this machine can publish without the SRT passphrase, because" in text
    assert "tell-nobody" not in text


def test_srt_alone() -> None:
    text = welcome.origin(Settings(), OriginPorts(8081, 9601, None, None, 8890))
    assert "Publish over SRT  srt://localhost:8890" in text
    assert "Only this machine" in text
    open_to_all = Settings.model_validate({"ingest": {"srt": {"host": "0.0.0.0"}}})
    assert "reaches port 8890 can publish" in welcome.origin(open_to_all, ORIGIN)


def test_an_open_listener_is_warned_about() -> None:
    settings = Settings.model_validate({"ingest": {"rtmp": {"host": "0.0.0.0"}}})
    assert "WARNING: whoever reaches port 1935 can publish" in welcome.origin(settings, ORIGIN)


def test_other_addresses_and_tls() -> None:
    settings = Settings.model_validate(
        {"ingest": {"rtmp": {"host": "2001:db8::1"}, **KEYS}, "edge": {"http": {"host": "192.0.2.1"}}}
    )
    text = welcome.up(settings, OriginPorts(1, 2, 3, 4), EdgePorts(5, 6), with_demo=False)
    assert "http://192.0.2.1:5/" in text
    assert "rtmp://[2001:db8::1]:3/live" in text
    assert "rtmps://[2001:db8::1]:4/live" in text


def test_roles_apart() -> None:
    text = welcome.origin(Settings(), OriginPorts(8081, 9601, None, None))
    assert "no listener" in text
    assert "http://localhost:8081" in text
    assert "http://localhost:8080/" in welcome.edge(Settings(), EDGE)


def test_viewers_over_tls() -> None:
    tls = EdgePorts(http=8080, admin=9602, tls=8443)
    for text in (welcome.edge(Settings(), tls), welcome.up(Settings(), ORIGIN, tls, with_demo=True)):
        assert "https://localhost:8443/   (HTTP/2)" in text
    assert "https:" not in welcome.edge(Settings(), EDGE)
