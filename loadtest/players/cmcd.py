"""CTA-5004 (CMCD version 1): what a player says of itself with each request. Sans-IO.

Keys that every player knows to fill: br bl bs cid d mtp ot sf sid st su. `rtp`, `dl`, `nor`, `tb` are left out: they
ask a server to do something, which would make the load another one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from urllib.parse import quote

from headwater.loadtest.records import Cmcd

from .address import add_query


@dataclass(slots=True)
class Report:
    """The values of one request; None and False: not said."""

    sid: str
    cid: str
    ot: str
    """Object type: m, a, v, av, i."""
    br: int | None = None
    """Encoded bitrate, kbit/s."""
    d: int | None = None
    """Duration of the object, ms."""
    bl: int | None = None
    """Buffer length, ms."""
    mtp: int | None = None
    """Measured throughput, kbit/s."""
    su: bool = False
    """Needed urgently: start-up, seek, or an empty buffer."""
    bs: bool = False
    """The buffer ran empty since the last request."""

    def keys(self, header: str) -> list[str]:
        """`key=value` of one CMCD header, sorted by key (3.2)."""
        if header == "Object":
            found = [_pair("br", self.br), _pair("d", self.d), f"ot={self.ot}"]
        elif header == "Request":
            # 2: bl and mtp are rounded to 100 ms and to 100 kbit/s
            found = [_pair("bl", _rounded(self.bl)), _pair("mtp", _rounded(self.mtp)), "su" if self.su else ""]
        elif header == "Session":
            found = [f'cid="{self.cid}"', "sf=h", f'sid="{self.sid}"', "st=l"]
        else:
            found = ["bs" if self.bs else ""]
        return [pair for pair in found if pair]

    def query(self) -> bytes:
        """`CMCD=…` for the query."""
        pairs = sorted(pair for header in HEADERS for pair in self.keys(header))
        return ("CMCD=" + "%2C".join(map(_quoted, pairs))).encode("ascii")

    def headers(self) -> bytes:
        """Header lines."""
        lines = [(header, ",".join(self.keys(header))) for header in HEADERS]
        return "".join(f"CMCD-{header}: {value}\r\n" for header, value in lines if value).encode("ascii")


HEADERS = ("Object", "Request", "Session", "Status")


def put(report: Report, way: Cmcd, target: bytes) -> tuple[bytes, bytes]:
    """Target and header lines of a request that says `report`."""
    if way is Cmcd.QUERY:
        return add_query(target, report.query()), b""
    return target, report.headers()


@functools.lru_cache(maxsize=32_768)
def _quoted(pair: str) -> str:
    """Percent-encoded. Remembered: most pairs come again with the next request."""
    return quote(pair, safe="")


@functools.lru_cache(maxsize=64)
def content_id(target: bytes) -> str:
    """`cid` of a stream: its path without what might break out of a quoted string, at most 64 characters (2)."""
    path = target.decode("ascii").partition("?")[0]
    return "".join(char for char in path if char not in '"\\')[-64:]


def _pair(name: str, value: int | None) -> str:
    return "" if value is None else f"{name}={value}"


def _rounded(value: int | None) -> int | None:
    return None if value is None else (value + 50) // 100 * 100
