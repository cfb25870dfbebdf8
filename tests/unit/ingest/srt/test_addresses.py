"""Who is behind an address."""

from __future__ import annotations

import pytest

from headwater.ingest.srt.addresses import Address, field_of, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (("192.0.2.1", 4000), "192.0.2.1"),
        (("::ffff:192.0.2.1", 4000, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 4000, 0, 0), "2001:0db8:0001:0002::/64"),
        (("2001:db8:1:2::9", 4001, 0, 0), "2001:0db8:0001:0002::/64"),
        (("fe80::1%eth0", 4001, 0, 2), "fe80:0000:0000:0000::/64"),
        (("not:an:address", 1), "not:an:address"),
        (("somewhere", 1), "somewhere"),
    ],
)
def test_network(address: Address, network: str) -> None:
    assert network_of(address) == network


def test_field() -> None:
    assert field_of(("192.0.2.1", 4000)) == bytes((1, 2, 0, 192)) + bytes(12)
    assert field_of(("2001:db8::1", 4000, 0, 0)).hex(" ", 4) == "b80d0120 00000000 00000000 01000000"
    assert field_of(("somewhere", 1)) == bytes(16)
