"""Pages and what they are drawn with, compressed for slow lines; a proxy in front may do it too."""

from __future__ import annotations

import gzip

from flask import Response, request

_KINDS = frozenset({"text/html", "text/css", "text/javascript", "application/javascript", "image/svg+xml"})
_WORTHWHILE = 600  # bytes; what is shorter fits into one packet anyway


def compress(response: Response) -> Response:
    """The same answer in less bytes, if it is a page or part of one and the browser can read it."""
    if (
        response.status_code != 200
        or response.mimetype not in _KINDS
        or "Content-Encoding" in response.headers
        or response.headers.get("Content-Disposition", "").startswith("attachment")
        or not request.accept_encodings["gzip"]
    ):
        return response
    response.direct_passthrough = False  # a static file, whole
    content = response.get_data()
    if len(content) < _WORTHWHILE:
        return response
    response.set_data(gzip.compress(content, 6, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    if (etag := response.get_etag()[0]) is not None:
        response.set_etag(f"{etag}-gzip")
    return response
