"""Which keywords of ``create()`` are the client's own."""

from __future__ import annotations

from typing import Any

_OWN = ("validate_with", "renew", "tolerate", "allowed_proxy_chains", "pgt_store")


def own_options(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The client's keywords, and those of the HTTP library."""
    own = {name: keywords.pop(name) for name in _OWN if name in keywords}
    return own, keywords
