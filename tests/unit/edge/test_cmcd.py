"""CMCD: what players send is read, what nobody should send changes nothing."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.edge.cmcd import MAX_BYTES, Fault, Report, State, gather, read, take

HLSJS = b'bl=21300,br=3200,bs,cid="x/y,z=1",d=4004,mtp=25400,nor="..%2F300kbps%2Ftrack.m4v",ot=v,sid="6e2fb550-c457"'
V2 = b'bl=(2100;v 1900;a),bs=?0,com.example-x="a\\"b",ltc=3200,mtp=(25400),sid="s1",sta=p,sf=h,v=2'


def test_version_1_as_hls_js_sends_it() -> None:
    assert read(HLSJS) == Report(session=b"6e2fb550-c457", buffer_s=21.3, throughput_bps=25_400_000.0, stalled=True)


def test_version_2() -> None:
    assert read(V2) == Report(
        session=b"s1", buffer_s=2.1, throughput_bps=25_400_000.0, latency_s=3.2, state=State.PLAYING
    )


@pytest.mark.parametrize(
    "other", [b"x=:YQ==:", b'x=1;p="a,b"', b'nor=("a b.m4v" "(c";r="0-9")', b"*x=-1.5", b"a;b=1;c", b"x=?1", b"x=a/b:c"]
)
def test_what_is_not_used_may_be_any_structured_field(other: bytes) -> None:
    for text in (other + b",bl=1000", b"bl=1000, " + other, b"bl=1000," + other + b",sf=h"):
        assert read(text) == Report(buffer_s=1.0)


def test_query_and_fields_are_read_alike_and_together() -> None:
    assert gather(quote(HLSJS).encode(), None) == gather(None, HLSJS) == read(HLSJS)
    assert gather(b"bl%3D1000", b'sid="a"') == Report(session=b"a", buffer_s=1.0)
    assert gather(b"", None) == Report()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"bl", Fault.VALUE), (b"bl=", Fault.SYNTAX), (b"bl=-1", Fault.VALUE), (b"bl=1e3", Fault.VALUE),
        (b"bl=99999999999", Fault.VALUE), (b"bl=(", Fault.SYNTAX), (b"bl=()", Fault.VALUE), (b"mtp=nan", Fault.VALUE),
        (b"sid=abc", Fault.VALUE), (b'sid=""', Fault.VALUE), (b'sid="' + b"x" * 65 + b'"', Fault.VALUE),
        (b'sid="abc', Fault.SYNTAX), (b"bs=2", Fault.VALUE), (b"sta=zz", Fault.VALUE), (b"sta", Fault.VALUE),
        (b"=1", Fault.SYNTAX), (b",", Fault.SYNTAX), (b"a b", Fault.SYNTAX), (b"\xff=1", Fault.SYNTAX),
        (b"a," * 80, Fault.SYNTAX), (b"a" * (MAX_BYTES + 1), Fault.LENGTH), (b'x="\\q"', Fault.SYNTAX),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_not_taken(text: bytes, fault: Fault) -> None:
    assert read(text) is fault


def test_an_encoded_report_is_bounded_before_it_is_decoded() -> None:
    assert gather(b"%41" * (MAX_BYTES + 1), None) is Fault.LENGTH


@pytest.mark.parametrize(
    ("target", "rest", "value"),
    [
        (b"/a?CMCD=bl%3D1", b"/a", b"bl%3D1"),
        (b"/a?CMCD=x&b=1", b"/a?b=1", b"x"),
        (b"/a?b=1&CMCD=x&c=2", b"/a?b=1&c=2", b"x"),
        (b"/a?b=1&CMCD=x", b"/a?b=1", b"x"),
        (b"/CMCD=x", b"/CMCD=x", None),
        (b"/a&CMCD=x", b"/a&CMCD=x", None),
        (b"/a&CMCD=x?b=1", b"/a&CMCD=x?b=1", None),
        (b"/a?xCMCD=x", b"/a?xCMCD=x", None),
        (b"/a?CMCD=x#y", b"/a?#y", b"x"),
        (b"/a?CMCD", b"/a?CMCD", None),
    ],
)
def test_the_argument_is_taken_out_of_the_query_alone(target: bytes, rest: bytes, value: bytes | None) -> None:
    assert take(target) == (rest, value)


@given(st.binary(max_size=200) | st.text('abcl=,;()"\\? 1.', max_size=80).map(str.encode))
@settings(max_examples=100)
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(gather(data, data), Report | Fault)
    take(b"/x?CMCD=" + data)


@pytest.mark.parametrize(
    "text",
    [
        b'a="' + b"\\" * 2_000,
        b"a=(" * 600,
        b'a=("' + b"(" * 2_000,
        b"a=1" + b";" * 2_000,
        b" " * 2_040 + b"\x00",
        b'x=("' * 500,
    ],
)
def test_no_text_takes_long(text: bytes) -> None:
    began = time.process_time()
    for _ in range(20):
        read(text)
    assert time.process_time() - began < 0.2
