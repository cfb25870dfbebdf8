"""Reports that players would never send: no bytes raise, none are believed beyond their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.cmcd import MAX_BYTES, Fault, Report, gather, take

WORDS = [
    b"bl", b"mtp", b"ltc", b"bs", b"sid", b"sta", b"nor", b"=", b",", b";", b"(", b")", b'"', b"\\", b"?1", b"?0", b"1",
    b"99999", b".", b"-", b":", b" ", b"\t", b"a", b"p", b"%", b"%2C", b"\xff", b"\0", b"&", b"#", b"CMCD=",
]  # fmt: skip

texts = st.lists(st.sampled_from(WORDS), max_size=60).map(b"".join) | st.binary(max_size=300)


@given(texts, st.none() | texts)
def test_a_report_is_read_or_refused(query: bytes, fields: bytes | None) -> None:
    found = gather(query, fields)
    assert isinstance(found, Report | Fault)
    if isinstance(found, Report):
        assert found.buffer_s is None or 0 <= found.buffer_s <= 3_600
        assert found.throughput_bps is None or 0 <= found.throughput_bps <= 1e11
        assert found.session is None or 0 < len(found.session) <= 64


@given(texts)
def test_a_target_loses_its_report_and_nothing_of_its_path(text: bytes) -> None:
    for target in (b"/live/x?" + text, b"/live/x?a=1&CMCD=" + text, b"/" + text):
        rest, report = take(target)
        assert rest.startswith(target.partition(b"?")[0])
        assert report is None or (b"&" not in report and len(rest) < len(target))


@given(st.integers(0, 3 * MAX_BYTES + 10))
def test_length_is_bounded(length: int) -> None:
    found = gather(b"a" * length, None)
    assert (found is Fault.LENGTH) == (length > MAX_BYTES)
