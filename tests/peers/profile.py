"""How much of the peer tests runs: `make test` a part that has each kind once, `make test-whole` all of it."""

from __future__ import annotations

import os

WHOLE = os.environ.get("TEST_PEERS") == "whole"
