"""CMCD as CTA-5004 writes it."""

from __future__ import annotations

from urllib.parse import unquote

from tests.viewers_kit import Theatre

from headwater.loadtest.players.cmcd import Report, content_id, put
from headwater.loadtest.players.lane import Kind
from headwater.loadtest.records import Cmcd, ViewerClass

REPORT = Report(sid="5f", cid="/live/a", ot="v", br=4_000, d=1_000, bl=2_960, mtp=12_345, su=True, bs=False)


def test_query() -> None:
    target, headers = put(REPORT, Cmcd.QUERY, b"/p1.m4s")
    assert headers == b""
    path, _, value = target.partition(b"?CMCD=")
    assert path == b"/p1.m4s"
    assert unquote(value.decode()) == ('bl=3000,br=4000,cid="/live/a",d=1000,mtp=12300,ot=v,sf=h,sid="5f",st=l,su')
    assert put(REPORT, Cmcd.QUERY, b"/p?_HLS_msn=1")[0].startswith(b"/p?_HLS_msn=1&CMCD=")


def test_headers() -> None:
    target, headers = put(REPORT, Cmcd.HEADER, b"/p1.m4s")
    assert target == b"/p1.m4s"
    assert headers.decode() == (
        "CMCD-Object: br=4000,d=1000,ot=v\r\nCMCD-Request: bl=3000,mtp=12300,su\r\n"
        'CMCD-Session: cid="/live/a",sf=h,sid="5f",st=l\r\n'
    )
    REPORT.bs = True
    assert put(REPORT, Cmcd.HEADER, b"/")[1].endswith(b"CMCD-Status: bs\r\n")
    REPORT.bs = False


def test_the_content_id_stays_inside_its_quotes() -> None:
    assert content_id(b'/a"b\\c' + b"x" * 80) == "x" * 64
    assert content_id(b'/a"b\\c') == "/abc"


def test_what_a_player_says() -> None:
    theatre = Theatre()
    theatre.join(ViewerClass(cmcd=Cmcd.QUERY), url="http://h/live/index.m3u8?token=1")
    theatre.run(103.5)
    said = [(asked.kind, unquote(asked.target)) for asked in theatre.asked]
    assert "?token=1&CMCD=" in said[0][1]
    assert all('cid="/live/index.m3u8"' in target and "sid=" in target for _, target in said)
    assert len({target.partition('sid="')[2][:16] for _, target in said}) == 1
    objects = {(kind, target.partition("ot=")[2].partition(",")[0]) for kind, target in said}
    assert objects == {
        (Kind.MULTIVARIANT, "m"), (Kind.PLAYLIST, "m"), (Kind.INIT, "i"), (Kind.PART, "a"), (Kind.PART, "v"),
    }  # fmt: skip
    rates = {(target.partition("ot=")[2][:1], target.partition("br=")[2].partition(",")[0]) for _, target in said}
    assert rates == {("m", ""), ("i", "4000"), ("i", ""), ("v", "4000"), ("a", "")}, "BANDWIDTH is of the video"
    last = said[-1][1]
    assert "bl=" in last
    assert ",su" not in last
    assert "d=1000" in [target for kind, target in said if kind is Kind.PART][-1]
    assert ",su" in said[0][1]
