"""A server of files, for caches that are measured: each asks it once for each file."""

from __future__ import annotations

from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


def serve_files(folder: Path) -> int:
    """Serve `folder` from threads of this process until it ends; the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, folder))
    Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class _Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.folder / self.path.removeprefix("/")
        body = path.read_bytes() if path.is_file() else b""
        self.send_response(200 if path.is_file() else 404)
        for name, value in (("Content-Type", "video/mp4"), ("Cache-Control", "max-age=3600")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""
