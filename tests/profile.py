"""How much the tests do: `TEST_FUZZ=deep` is `make fuzz`, `TEST_PEERS=whole` is `make test-whole`.

Not named HEADWATER_...: the servers that the tests start would take that for a setting.
"""

from __future__ import annotations

import os

DEEP = os.environ.get("TEST_FUZZ") == "deep"
"""Fuzzing for an hour."""
WHOLE = os.environ.get("TEST_PEERS") == "whole"
"""Every case of the real peers, not each kind once."""
