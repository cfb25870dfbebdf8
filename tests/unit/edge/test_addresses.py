"""Spelling of addresses, and which count as one viewer's."""

from __future__ import annotations

import pytest

from headwater.edge.addresses import Networks, block, canonical


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.07", ""),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.7:80", ""),
    ],
)
def test_one_spelling(text: str, address: str) -> None:
    assert canonical(text) == address


def test_an_ipv6_customer_is_a_64() -> None:
    assert block("2001:db8:1:2:3:4:5:6") == block("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert block("2001:db8:1:3::") != block("2001:db8:1:2::")
    assert block("192.0.2.7") == "192.0.2.7"
    assert block("") == ""


def test_networks() -> None:
    networks = Networks(["192.0.2.9/24", "2001:db8::/32"])
    assert "192.0.2.1" in networks
    assert "2001:db8::5" in networks
    assert "192.0.3.1" not in networks
    assert "" not in networks
    assert "192.0.2.1" not in Networks([])
    with pytest.raises(ValueError, match="nowhere"):
        Networks(["nowhere"])
