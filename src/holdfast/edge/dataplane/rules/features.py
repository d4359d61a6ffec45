"""How HAProxy finds each feature of a request. The same expressions fill the sampled records and the look-ups
of signatures, so that what the shield has seen is what a signature matches.

They are computed before any header is added, in the frontend. Texts that a client chooses are hashed (XXH3,
signed 64-bit decimal), so that they can be part of a map's key.
"""

from __future__ import annotations

from typing import Final

from holdfast.shield.features import TEMPLATES, Feature

NETWORK: Final = "src,ipmask(24,48),concat()"
NAMES: Final = "req.hdr_names(:),xxh3"
AGENT: Final = "req.fhdr(user-agent),xxh3"

EXPRESSIONS: Final[dict[Feature, str]] = {
    Feature.AGENT: AGENT,
    Feature.NAMES: NAMES,
    Feature.PATH: "path,xxh3",
    Feature.SECTION: "path,field(2,/),xxh3",
    Feature.METHOD: "method,bytes(0,32)",
    Feature.QUERY: "query,regsub(=[^&]*,=,g),xxh3",
    Feature.VERSION: "req.ver",
    Feature.TLS: "var(sess.tls)",
    Feature.REFERER: "req.fhdr(referer),field(3,/),xxh3",
    Feature.LANGUAGE: "req.fhdr(accept-language),xxh3",
    Feature.NETWORK: NETWORK,
}
"""All but ``PRESENCE``, which is put together from several, and ``STRANGER``, which is looked up."""
PRESENCE: Final = (
    "%[query,length,bool]%[req.hdr_cnt(cookie),bool]%[req.hdr_cnt(referer),bool]"
    "%[req.hdr_cnt(accept-language),bool]%[req.hdr_cnt(accept-encoding),bool]"
)
"""One sign for each: query, cookie, referer, accept-language, accept-encoding."""


def bit(template: int) -> int:
    """What a template adds to a site's mask."""
    return 1 << template


def needed_by(feature: Feature) -> int:
    """The mask of all templates that look at ``feature``."""
    return sum(bit(template.bit) for template in TEMPLATES if feature in template.features)


WHOLE_SITE: Final = 40
"""The number of the template that every request matches."""
LINGERING: Final = 41
"""No template: the site has none in use any more, and its challenge's links are still honoured."""
