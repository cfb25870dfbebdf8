"""What several conversations begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.h2_raw_kit import Raw


@pytest.fixture
def raw() -> Iterator[Raw]:
    """An HTTP/2 connection on a stepped clock, and its peer."""
    one = Raw()
    yield one
    one.close()
