"""Highest random weight hashing: which upstream has which stream, without a table that edges would have to share.

Every edge that knows the same names and weights ranks them alike for a stream; a name that comes or goes moves only
the streams that it wins or had. Sans-IO. Thaler and Ravishankar 1998; weights as in Schindelhauer and Schomaker 2005.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping


def score(stream: str, name: str, weight: float) -> float:
    """How much `name` wants `stream`: positive, the highest wins."""
    digest = hashlib.blake2b(f"{name}\0{stream}".encode(), digest_size=8).digest()
    # Strictly between 0 and 1, so that the logarithm is finite and not 0
    unit = (int.from_bytes(digest, "big") + 0.5) / 2**64
    return weight / -math.log(unit)


def rank(stream: str, weights: Mapping[str, float]) -> list[str]:
    """All names, the one that should have `stream` first."""
    return sorted(weights, key=lambda name: (-score(stream, name, weights[name]), name))


def most_streams(total: int, weight: float, weights: float, factor: float) -> int:
    """Bounded load: how many of `total` streams an upstream with `weight` of all `weights` may have.

    Mirrokni, Thorup and Zadimoghaddam 2016: with a factor above 1 few streams move, and nobody has more than that
    times its share.
    """
    return math.ceil(factor * total * weight / weights)
