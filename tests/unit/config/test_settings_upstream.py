"""What may stand in [[edge.upstreams]]."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.config.load import ConfigError, check_files, load
from headwater.config.settings import Settings


def read(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "given.toml"
    file.write_text(text)
    loaded = load(file, {})
    check_files(loaded)
    return loaded.settings


def test_names_are_given_or_made(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
        [[edge.upstreams]]
        url = "https://shield.example:8443/"
        server_name = "other.example"
        [[edge.upstreams]]
        url = "unix:/run/headwater/edge.sock"
        weight = 0.5
        [[edge.upstreams]]
        url = "http://10.0.0.1:8080"
        name = "leaf-2"
        sibling = true
        """,
    )
    assert [entry.label for entry in settings.edge.upstreams] == ["shield.example:8443", "unix", "leaf-2"]


UPSTREAM = '[[edge.upstreams]]\nurl = "http://a:1"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[edge]\nupstream = "http://a:1"\n' + UPSTREAM, "edge.upstream"),
        (UPSTREAM + UPSTREAM, "another upstream is called a:1"),
        (UPSTREAM + "sibling = true", "only siblings"),
        (UPSTREAM + 'sibling = true\nname = "edge"\n' + UPSTREAM, "that is this node itself"),
        (UPSTREAM + 'ca = "x.pem"', "only an https:// upstream has certificates"),
        (UPSTREAM + "insecure = true", "only an https:// upstream has certificates"),
        (UPSTREAM + 'name = "a b"', "does not match"),
        (UPSTREAM + "weight = 0", "edge.upstreams[0].weight"),
        (UPSTREAM + "wieght = 1", "did you mean weight?"),
        ('[[edge.upstreams]]\nurl = "ftp://a:1"', "does not match"),
        ('[[edge.upstreams]]\nurl = "http://a:1/path"', "does not match"),
        ('[[edge.upstreams]]\nurl = "https://a:1"\nca = "/nowhere/ca.pem"', "edge.upstreams[0].ca"),
        ('[[edge.upstreams]]\nurl = "https://a:1"\nca = "x"\ninsecure = true', "`ca` would never be looked at"),
        ("[edge.tiers]\nload_factor = 0.5", "below the least value"),
        ('[edge]\npins = ["live/x.m3u8"]', "does not match"),
        ('[edge]\npins = ["/live/../x.m3u8"]', "does not match"),
        ('[edge]\npins = ["/live/x/"]', "does not match"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert reason in str(caught.value)
