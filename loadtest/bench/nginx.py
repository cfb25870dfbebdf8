"""Debian's nginx with the RTMP module and HLS, as the peer that ingest is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .processes import Peer, children, free_port, wait_until

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

CONFIG = """
load_module {module};
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 1024; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        chunk_size 65536;
        application live {{
            live on;
            hls on;
            hls_path {folder}/hls;
            hls_fragment 2s;
            hls_playlist_length 60s;
        }}
    }}
}}
"""


@dataclass
class NginxRtmp:
    """One nginx with one worker; HLS goes to `folder`, which should be in memory."""

    folder: Path
    port: int = 0
    peer: Peer | None = None

    def start(self) -> NginxRtmp:
        """Start it; FileNotFoundError when the module is not installed."""
        if not MODULE.exists():
            raise FileNotFoundError(f"{MODULE}: install nginx and libnginx-mod-rtmp")
        (self.folder / "hls").mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(module=MODULE, folder=self.folder, port=self.port))
        self.peer = Peer(["/usr/sbin/nginx", "-c", str(config)], self.folder / "nginx.log")
        try:
            wait_until(lambda: bool(self.worker()), timeout_s=10, what="nginx has a worker", peer=self.peer)
        except BaseException:
            self.peer.kill()
            raise
        return self

    def worker(self) -> int:
        """Process id of the worker; 0 while there is none."""
        if self.peer is None or self.peer.returncode is not None:
            return 0
        return next(iter(children(self.peer.pid)), 0)

    def rtmp(self, name: str) -> str:
        """The address to publish `name` at."""
        return f"rtmp://127.0.0.1:{self.port}/live/{name}"

    def stop(self) -> None:
        """End it."""
        if self.peer is not None:
            self.peer.stop()
