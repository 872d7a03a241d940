"""HTTP by aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from . import MAX_BODY, Headers, Request, Response, failed, too_large, too_slow
from ._tls import context


class AsyncConnection:
    """A session that is made when the first request needs it, which is when there is a loop."""

    def __init__(self, timeout: float | None, options: Mapping[str, Any]) -> None:
        self._timeout = timeout
        self._options = dict(options)
        self._verify = self._options.pop("verify", True)
        self._cert = self._options.pop("cert", None)
        self._session: aiohttp.ClientSession | None = None

    async def asend(self, request: Request) -> Response:
        """Send it once, within the timeout."""
        if self._session is None:
            settings: dict[str, Any] = {"trust_env": True, "cookie_jar": aiohttp.DummyCookieJar(), **self._options}
            self._session = aiohttp.ClientSession(auto_decompress=False, **settings)
            # It would send a GET again when the connection breaks, but a ticket is sent once.
            if hasattr(self._session, "_retry_connection"):
                self._session._retry_connection = False
        keywords: dict[str, Any] = {}
        if request.url[:6].lower() == "https:" and "connector" not in self._options:
            keywords["ssl"] = context(self._verify, self._cert)
        try:
            async with self._session.request(
                request.method,
                # Already encoded, and to stay as it is.
                URL(request.url, encoded=True),
                headers={"Accept-Encoding": "identity", **request.headers},
                data=request.body,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                allow_redirects=False,
                **keywords,
            ) as answer:
                pieces, length = [], 0
                async for piece in answer.content.iter_any():
                    pieces.append(piece)
                    length += len(piece)
                    if length > MAX_BODY:
                        raise too_large()
                return Response(answer.status, Headers(answer.headers.items()), b"".join(pieces))
        except asyncio.TimeoutError as error:
            raise too_slow() from error
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise failed(error) from error

    async def aclose(self) -> None:
        """Close the connections kept for later."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
