"""nginx and Varnish of Debian as caches of a live LL-HLS origin: the peers that the edge is compared with.

Both are set up as their manuals say for live streaming: what the origin says of lifetimes is believed, queries are part
of the key, requests for one object wait for one fetch, connections to the origin are kept. Both have one worker (or
what one core can use), and keep everything in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .processes import Peer, children, fetched, free_port, pinned, started

NGINX = "/usr/sbin/nginx"
VARNISH = "/usr/sbin/varnishd"

NGINX_CONFIG = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    # {folder} is in memory.
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=live:16m max_size=1g inactive=2m use_temp_path=off;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 256;
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache live;
            # With the query: _HLS_msn and _HLS_part name different answers.
            proxy_cache_key $uri$is_args$args;
            # One request per object goes to the origin, and the others wait for as long as it may hold it
            # (three target durations): by default they would all go there after 5 s.
            proxy_cache_lock on;
            proxy_cache_lock_timeout 15s;
            proxy_cache_lock_age 15s;
            proxy_read_timeout 20s;
            # Lifetimes are the origin's s-maxage; what says nothing of itself is old after a second.
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale error timeout updating http_503;
        }}
    }}
}}
"""

VCL = """
vcl 4.1;

backend origin {{
    .host = "127.0.0.1";
    .port = "{origin}";
    # The origin holds for three target durations.
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 20s;
}}

sub vcl_recv {{
    unset req.http.Cookie;
}}

# The built-in vcl_hash has host and URL with its query: _HLS_msn and _HLS_part name different answers.

sub vcl_backend_response {{
    if (beresp.status >= 400) {{
        # Not for two minutes as by default: the same name may be there one part later.
        set beresp.ttl = 0.1s;
        set beresp.grace = 0s;
        return (deliver);
    }}
    # Lifetimes are the origin's s-maxage. A playlist past it is no use to a player at the live edge.
    if (bereq.url ~ "[.]m3u8") {{
        set beresp.grace = 0s;
    }} else {{
        set beresp.grace = 10s;
    }}
}}
"""


@dataclass
class Cache:
    """What stands between viewers and the origin: a process of its own with children that do the work."""

    port: int
    peer: Peer

    def url(self, path: str) -> str:
        """Where viewers ask."""
        return f"http://127.0.0.1:{self.port}{path}"

    def processes(self) -> list[int]:
        """Ids of the processes that do its work."""
        return children(self.peer.pid)

    def stop(self) -> None:
        """End it."""
        self.peer.stop()


HEALTH = "/healthz"
"""What our origin answers with 200."""


def nginx(origin: int, folder: Path, *, core: int | None = None, health: str = HEALTH) -> Cache:
    """nginx before the origin's port, on one `core`, once it answers `health` with 200.

    Raises FileNotFoundError, TimeoutError or PeerEnded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port, origin=origin))
    return _start([NGINX, "-c", str(config)], port, folder / "nginx.log", core, health)


def varnish(origin: int, folder: Path, *, core: int | None = None, health: str = HEALTH) -> Cache:
    """As `nginx`, Varnish."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "cache.vcl"
    config.write_text(VCL.format(origin=origin))
    command = [VARNISH, "-F", "-j", "none", "-n", str(folder / "work"), "-a", f"127.0.0.1:{port}", "-f", str(config)]
    command += ["-s", "malloc,1g", "-p", "thread_pools=1", "-p", "thread_pool_max=2000", "-p", "listen_depth=8192"]
    return _start(command, port, folder / "varnish.log", core, health)


def _start(command: list[str], port: int, log: Path, core: int | None, health: str) -> Cache:
    if not Path(command[0]).exists():
        raise FileNotFoundError(f"{command[0]}: install nginx and varnish")
    asked = f"http://127.0.0.1:{port}{health}"
    peer = started(
        [*pinned(core), *command], log, lambda _: fetched(asked, 2)[0] == 200, what="the cache answers", timeout_s=20
    )
    return Cache(port, peer)
