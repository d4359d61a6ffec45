"""The public pages, where a block is: from the small service beside HAProxy, in place of the block page.

Here belongs the way to the service, and what a flood of it may cost. Not here: which requests come here
(``enforcement``), what is served.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.own_path import PUBLIC_PATH
from holdfast.edge.dataplane.pages import LANGUAGES
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.language import language_rule

CACHE: Final = "public"
"""HAProxy's memory of what the service has answered: a flood of one page does not reach it."""
CACHE_LINES: Final = ["total-max-size 16", "max-object-size 1048576", "max-age 10"]
"""Megabytes, bytes, and seconds in which a page may be out of date."""
READERS: Final = "readers"
"""The table of who asks for what is not in the cache."""
READER_SECONDS: Final = 10
MOST_READ: Final = 200
"""Of what is not in the cache, by a client within ``READER_SECONDS``: more than an auditor takes by hand, and
little for the service. Who takes the whole log fetches it at the log's own address."""
_OVER: Final = f"{{ src,ipmask(32,64),table_gpc0_rate({READERS}) gt {MOST_READ} }}"
_AGAIN: Final = "hdr Cache-Control no-store hdr Retry-After"
_DOWN: Final = (
    "The public statements cannot be shown just now. Please try again in a minute.\\n"
    "Every block is on the public record all the same.\\n"
)


def public_lines() -> list[str]:
    """Of the backend, before its rules. Every request has a connection of its own: what a client sends after
    one that has a body cannot become another request."""
    return [
        "option http-server-close",
        "http-reuse never",
        "timeout connect 1s",
        "timeout queue 2s",
        "timeout server 10s",
        *(
            f'http-error status {status} content-type text/plain string "{_DOWN}" {_AGAIN} 60'
            for status in (502, 503, 504)
        ),
    ]


def public_rules(_: Context) -> list[str]:
    """Below the service's root, in the visitor's language, and with nothing that a client says of itself: all
    hosts and clients share what is in the cache. A page that bears its suffix is asked for as it is."""
    page = "{ path -m reg ^/(statements/)?[0-9A-Za-z._-]+$ } !{ path_end .html .md .json .toml .tlog-proof }"
    pattern = PUBLIC_PATH.rstrip("/").replace(".", "[.]")
    return [
        "http-request set-log-level silent",  # it names no attack, and is not the site's
        language_rule(),
        f"http-request set-uri %[path,regsub(^{pattern},)]",
        "http-request set-path /index if { path / }",
        f"http-request set-path %[path]~%[var(txn.lang)] if {page}"
        f" {{ var(txn.lang) -m str {' '.join(LANGUAGES[1:])} }}",
        "http-request del-header '^(?!(content-length|transfer-encoding)$)' -m reg",
        "http-request set-header Host holdfast",
        'http-request return status 429 content-type text/plain string "Please try again in a minute.\\n"'
        f" {_AGAIN} {READER_SECONDS} if {_OVER}",
        f"http-request cache-use {CACHE}",
        f"http-response track-sc0 src,ipmask(32,64) table {READERS} unless {{ res.cache_hit }}",
        "http-response sc-inc-gpc0(0) unless { res.cache_hit }",
        "http-response del-header Server",
        f"http-response cache-store {CACHE}",
        "http-after-response set-header Vary Accept-Language",
    ]


def public_server(address: str) -> list[str]:
    """The service; what more come at once wait for a moment."""
    return [f"server service {address} maxconn 8 maxqueue 64"]
