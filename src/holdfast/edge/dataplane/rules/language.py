"""The language of a page, from what the visitor's browser asks for."""

from __future__ import annotations

from holdfast.edge.dataplane.pages import LANGUAGES


def language_rule() -> str:
    """``txn.lang``. A region (de-AT) counts as its language: HAProxy compares whole tags only. It stops
    reading at "q=0,", so what a visitor does not want is taken out before. Unset where nothing is asked for.
    """
    return (
        "http-request set-var(txn.lang) \"req.fhdr(accept-language),lower,regsub('-[^,;]*',,g),"
        f"regsub('[^,]*; *q=0,',,g),language({';'.join(LANGUAGES)},{LANGUAGES[0]})\""
    )
