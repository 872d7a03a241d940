"""HTTP, by whichever library is there.

A transport sends one request and brings back one answer. It follows no redirect, keeps no cookie, tries nothing twice,
and reads no more than 256 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from ..errors import Misuse, TransportError

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = [
    "LIBRARIES",
    "MAX_BODY",
    "AsyncTransport",
    "Headers",
    "Request",
    "Response",
    "Transport",
    "open_transport",
]

#: The libraries by name; ``default`` chooses one of them.
LIBRARIES = ("urllib", "httpx", "requests", "aiohttp")
#: The longest answer that is read, in bytes.
MAX_BODY = 256 * 1024

Library: TypeAlias = 'Literal["default", "urllib", "httpx", "requests", "aiohttp"]'


class Headers(Mapping[str, str]):
    """Headers of an answer: names in any case, and every value of a name by :meth:`get_all`."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        wanted = name.lower()
        return [value for known, value in self._pairs if known == wanted]

    def __getitem__(self, name: str) -> str:
        for value in self.get_all(name):
            return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def __repr__(self) -> str:
        return f"<Headers {list(self)}>"


@dataclass(frozen=True)
class Request:
    """What is sent. ``repr`` leaves out what may be secret."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Sends requests."""

    def send(self, request: Request) -> Response:
        """Send it once; :class:`casque.TransportError` if no answer came."""

    def close(self) -> None:
        """Close what is open."""


class AsyncTransport(Protocol):
    """Sends requests, asynchronously."""

    async def asend(self, request: Request) -> Response:
        """Send it once; :class:`casque.TransportError` if no answer came."""

    async def aclose(self) -> None:
        """Close what is open."""


@overload
def open_transport(
    library: str = "default", *, is_async: Literal[False] = False, timeout: float | None = 10.0, **library_options: Any
) -> Transport: ...
@overload
def open_transport(
    library: str = "default", *, is_async: Literal[True], timeout: float | None = 10.0, **library_options: Any
) -> AsyncTransport: ...
def open_transport(
    library: str = "default", *, is_async: bool = False, timeout: float | None = 10.0, **library_options: Any
) -> Transport | AsyncTransport:
    """Open a transport by name: ``httpx``, ``requests``, ``aiohttp``, ``urllib`` (the standard library) or ``default``.

    ``default`` is the standard library where that will do, which costs least, and asynchronously httpx or aiohttp where
    one is installed. ``timeout`` is in seconds and bounds the reading of an answer as a whole. ``verify`` (True, False,
    or a file or folder of root certificates) and ``cert`` (a file, or a pair of certificate and key) mean the same to
    all; every other option is handed to the library. Nothing is connected, and no certificate is read, before the first
    request needs it.
    """
    if timeout is not None and not timeout > 0:
        raise Misuse("timeout: seconds, more than zero, or None for no limit")
    if library == "default":
        library = _choose(is_async, library_options)
    if library not in LIBRARIES:
        raise Misuse(f"there is no HTTP library {library!r}; known are default, {', '.join(LIBRARIES)}")
    side = "asynchronous" if is_async else "synchronous"
    name = "AsyncConnection" if is_async else "Connection"
    if library != "urllib" and not _installed(library):
        raise Misuse(f"the HTTP library {library} is not installed: pip install 'casque[{library}]'")
    factory = getattr(import_module(f".{library}", __name__), name, None)
    if factory is None:
        others = "httpx, requests, urllib" if library == "aiohttp" else "httpx, aiohttp, urllib"
        raise Misuse(f"{library} has no {side} side; use one of {others}")
    transport: Transport | AsyncTransport = factory(timeout, library_options)
    return transport


def _choose(is_async: bool, options: Mapping[str, Any]) -> str:
    """The library that costs least and can do what the options ask for."""
    plain = options.keys() <= {"verify", "cert", "trust_env"}
    if is_async:
        preferred = [name for name in ("httpx", "aiohttp") if _installed(name)]
    else:
        preferred = [] if plain else [name for name in ("httpx", "requests") if _installed(name)]
    return preferred[0] if preferred else "urllib"


def _installed(name: str) -> bool:
    return find_spec(name) is not None


def too_large() -> TransportError:
    """The answer is longer than any answer of CAS."""
    return TransportError(f"the answer is longer than {MAX_BODY} bytes", error_class="too_large")


def too_slow() -> TransportError:
    """The answer takes longer than the timeout."""
    return TransportError("the answer did not come in time", error_class="timeout")


def failed(error: BaseException) -> TransportError:
    """The library's exception in our words: its own may repeat the URL, and with it the ticket."""
    return TransportError(f"no answer from the CAS server: {type(error).__name__}")
