"""The variants of a stream, the one that a viewer takes, and its estimate of the bandwidth. Sans-IO.

`Bandwidth` and `Ladder.fitting` follow hls.js: two moving averages with half-lives of 3 and 9 seconds, the lower
counts; a variant is kept while it needs less than 0.95 of the estimate, and a higher one taken at 0.7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from headwater.loadtest.records import Abr, ViewerClass
from headwater.origin.hls import attributes
from headwater.origin.hls.attributes import PlaylistError
from headwater.origin.hls.multivariant import Multivariant, Variant

from .address import Address, resolve

FAST_S, SLOW_S = 3.0, 9.0
DEFAULT_BPS = 500_000.0
LEAST_S = 0.05
"""A download is taken to have lasted at least this long: shorter times say nothing of the network (hls.js)."""
STAY, RISE = 0.95, 0.7


class Bandwidth:
    """An estimate in bit/s."""

    __slots__ = ("_fast", "_slow", "_weight")

    def __init__(self) -> None:
        self._fast = self._slow = self._weight = 0.0

    def sample(self, seconds: float, size: int) -> None:
        """A download of `size` bytes took `seconds`."""
        seconds = max(seconds, LEAST_S)
        bps = 8.0 * size / seconds
        fast, slow = math.exp2(-seconds / FAST_S), math.exp2(-seconds / SLOW_S)
        self._fast = bps * (1 - fast) + self._fast * fast
        self._slow = bps * (1 - slow) + self._slow * slow
        self._weight += seconds

    @property
    def bps(self) -> float:
        """The estimate; hls.js' default before anything was loaded."""
        if not self._weight:
            return DEFAULT_BPS
        fast, slow = (1 - math.exp2(-self._weight / half) for half in (FAST_S, SLOW_S))
        return min(self._fast / fast, self._slow / slow)


@dataclass(frozen=True, slots=True)
class Choice:
    """One variant: what a viewer loads who takes it."""

    number: int
    """In the order of the playlist."""
    video: Address
    audio: Address | None
    bandwidth: int
    names: tuple[str, ...]
    """What `ViewerClass.variant` may call it."""


class Ladder:
    """The variants of a multivariant playlist."""

    __slots__ = ("choices",)

    def __init__(self, address: Address, playlist: Multivariant) -> None:
        """Raises PlaylistError when there is none."""
        if not playlist.variants:
            raise PlaylistError("no variant")
        self.choices = tuple(
            Choice(
                number,
                resolve(address.url, variant.uri),
                _audio(address, playlist, variant),
                variant.bandwidth,
                (*_names(variant), str(number)),
            )
            for number, variant in enumerate(playlist.variants)
        )

    def first(self, viewer: ViewerClass) -> Choice:
        """What a viewer begins with. Raises PlaylistError where it names a variant that is not there."""
        if viewer.abr is Abr.TOP:
            return max(self.choices, key=lambda choice: choice.bandwidth)
        if viewer.abr is Abr.LOWEST:
            return min(self.choices, key=lambda choice: choice.bandwidth)
        if viewer.abr is Abr.FIXED and viewer.variant is not None:
            for choice in self.choices:
                if viewer.variant in choice.names:
                    return choice
            raise PlaylistError(f"no variant {viewer.variant[:40]!r}")
        return self.choices[0]

    def fitting(self, bps: float, now: Choice) -> Choice:
        """The variant for a throughput of `bps`, coming from `now`."""
        best = min(self.choices, key=lambda choice: choice.bandwidth)
        for choice in self.choices:
            share = STAY if choice.bandwidth <= now.bandwidth else RISE
            if best.bandwidth < choice.bandwidth <= share * bps:
                best = choice
        return best


def _audio(address: Address, playlist: Multivariant, variant: Variant) -> Address | None:
    group = [m for m in playlist.media if m.type == "AUDIO" and m.group == variant.audio and m.uri is not None]
    if variant.audio is None or not group:
        return None
    chosen = next((media for media in group if media.default), group[0])
    return resolve(address.url, chosen.uri or "")


def _names(variant: Variant) -> list[str]:
    """NAME, height, and the folder or file of its address."""
    named = attributes.string(attributes.parse(variant.extra.removeprefix(",")), "NAME")
    height = [] if variant.resolution is None else [f"{variant.resolution[1]}p", str(variant.resolution[1])]
    pieces = [piece.partition(".")[0] for piece in urlsplit(variant.uri).path.split("/") if piece]
    return [*([] if named is None else [named]), *height, *pieces[-2:]]
