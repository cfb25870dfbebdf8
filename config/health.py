"""`python -m headwater.config.health [origin] [edge]`: asks the admin listeners whether the roles live.

For the health check of a container: reads the same settings as the server (file, environment), asks `/healthz` of
each named role, both without arguments, and ends with 0 when all answer.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Sequence

from .demo import local_host
from .load import ConfigError, load
from .settings import Admin

TIMEOUT_S = 3.0


def main(roles: Sequence[str]) -> int:
    """0: all live; 1: one does not; 2: no such role, or the settings cannot be read."""
    try:
        settings = load(None, os.environ).settings
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    admins = {"origin": settings.origin.admin, "edge": settings.edge.admin}
    if unknown := set(roles) - set(admins):
        print(f"no such role: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    dead = [role for role in roles or admins if not lives(admins[role])]
    if dead:
        print(f"no answer: {', '.join(dead)}", file=sys.stderr)
    return 1 if dead else 0


def lives(admin: Admin) -> bool:
    """Whether the listener answers 200."""
    connection = http.client.HTTPConnection(local_host(admin.host).strip("[]"), admin.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
