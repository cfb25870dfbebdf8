from __future__ import annotations

from headwater.loadtest.doctor.checks.tags import lines, number, quoted


def test_lines() -> None:
    text = '\ufeff#EXTM3U\r\n# comment\n\n#EXT-X-MAP:URI="a b",X=1\nfile.m4s\n#EXT-X-MAP:A=1,A=2\n'
    text += "#EXT-X-MAP:?\n#EXT-X-MAP:A=1, B=2\n"
    head, good, uri, twice, bad, spaced = lines(text)
    assert (head.name, good.name, uri.name, uri.value, uri.number) == ("#EXTM3U", "#EXT-X-MAP", "", "file.m4s", 5)
    assert (quoted(good, "URI"), quoted(good, "X"), quoted(good, "Y")) == ("a b", None, None)
    assert (twice.repeated, bad.repeated) == (True, False)
    assert bad.problem
    assert (spaced.spaced, good.spaced) == (True, False)


def test_numbers() -> None:
    assert (number("1.5"), number("-1"), number("x"), number("1e9")) == (1.5, None, None, None)


def test_long_lines_are_read_too() -> None:
    (line,) = lines('#EXT-X-MAP:URI="' + "x" * 5_000 + '"')
    assert len(quoted(line, "URI") or "") == 5_000
