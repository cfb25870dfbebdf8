"""The command's usage; it serves in tests/peers."""

from __future__ import annotations

import pytest

from headwater.loadtest.badserver.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--fault", "late"], "unknown fault 'late'"), (["--part-ms", "10"], "a part is 200 to 1000 ms long")],
)
def test_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
