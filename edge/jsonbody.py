"""The JSON body of a request to the admin listener: bounded, and never sent by a page of another site."""

from __future__ import annotations

import json

from aiohttp import web

MAX_BODY = 4_096


async def read_json(request: web.Request, usage: str) -> object:
    """The document; `usage` is told to whoever sends something else. Raises the aiohttp error that answers it."""
    # A page of another site cannot send this type without asking first, and is not answered then.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text=f"{usage} as application/json\n")
    body = await read_body(request)
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text=f"{usage}\n") from None
    return document


async def read_body(request: web.Request) -> bytes:
    """All of it. Raises the aiohttp error that answers who sends more than `MAX_BODY` bytes."""
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    body = await request.read()  # bounded by the application's client_max_size; a chunked one says no length before
    if len(body) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    return body
