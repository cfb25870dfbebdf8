"""Configurations of the caches; they run in `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.loadtest.bench import caches


def test_the_configurations_name_port_and_folder() -> None:
    config = caches.NGINX_CONFIG.format(folder="/x", port=1234, origin=5678)
    assert "listen 127.0.0.1:1234 " in config
    assert "server 127.0.0.1:5678;" in config
    assert config.count("{") == config.count("}")
    vcl = caches.VCL.format(origin=5678)
    assert '.port = "5678";' in vcl
    assert vcl.count("{") == vcl.count("}")


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "VARNISH", str(tmp_path / "varnishd"))
    with pytest.raises(FileNotFoundError, match="install nginx and varnish"):
        caches.varnish(1, tmp_path / "cache")
