"""The blocks in force: customer, site, hostname or path, and the page that a visitor gets."""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.own_path import PUBLIC_PATH
from holdfast.edge.dataplane.pages import CONTENT_SECURITY_POLICY, LANGUAGES, RECORD_FIELDS
from holdfast.edge.dataplane.picture import Flag, Maps
from holdfast.edge.dataplane.reasons import Reason
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.language import language_rule

DECODED = "regsub(%3f,%253f,ig),url_dec"
"""A path with all but ``?`` decoded: see ``_path_rules``."""


def block_rules(context: Context, when: str, scope: str, host: str, only: str = "") -> list[str]:
    """``SCOPE.blk``: the record of the widest block in force on the customer, the site or the hostname."""
    at = context.places.map
    lines = [f"{when} set-var({scope}.now) date" + (f" if {only}" if only else "")]
    for name, key in (
        (Maps.BLOCK_CUSTOMERS, f"var({scope}.sid),field(1,-)"),
        (Maps.BLOCK_SITES, f"var({scope}.sid)"),
        (Maps.BLOCK_HOSTS, f"var({scope}.{host})"),
    ):
        missing = f"!{{ var({scope}.blk) -m found }}"
        lines += [
            f"{when} set-var({scope}.blk) {key},map({at(name)}) if {f'{only} ' if only else ''}{missing}",
            unless_ended(context, when, scope),
        ]
    return lines


def unless_ended(context: Context, when: str, scope: str) -> str:
    """Passes over a block that has ended, by HAProxy's own clock, at once: it must not hide another one that
    has not. A block without a record (which the order of every plan prevents) stays in force."""
    records = context.places.map(Maps.BLOCK_RECORDS)
    end = f"var({scope}.blk),map({records}),field({field_of('expires')},|)"
    return f"{when} unset-var({scope}.blk) if {{ {end},sub({scope}.now) le 0 }} !{{ {end} -m str 0 }}"


def suspicion_rules(context: Context) -> list[str]:
    """Most requests are for sites that nobody blocks and that have no allow list: after three look-ups they
    leave these rules (``allow`` ends them) for those of the site."""
    at = context.places.map
    missing = f"if !{_HIT}"
    return [
        f"http-request set-var(txn.hit) var(txn.sid),field(1,-),map({at(Maps.BLOCK_CUSTOMERS)})",
        f"http-request set-var(txn.hit) var(txn.sid),map({at(Maps.BLOCK_SITES)}) {missing}",
        f"http-request set-var(txn.hit) var(txn.host),map({at(Maps.BLOCK_HOSTS)}) {missing}",
        f"http-request allow if !{_HIT}"
        f" !{{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
        f" !{{ var(txn.flags),and({Flag.ALLOW}) -m bool }}"
        f" !{{ var(txn.sid),map({at(Maps.MASKS)}) -m found }}",
        "http-request set-var(txn.now) date",
        f"http-request set-var(txn.more) bool(true) if {_HIT}"
        f" or {{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
        f" or {{ var(txn.flags),and({Flag.ALLOW}) -m bool }}",
    ]


_HIT: Final = "{ var(txn.hit) -m found }"
"""There is a block, which may have ended."""
MORE: Final = "{ var(txn.more) -m found }"
"""The site has more than a mitigation: a block, or an allow list."""
BLOCKED: Final = "blocked"
"""The backend of what is blocked."""
PUBLIC: Final = "public"
"""The backend of the public pages, which every host with a block has below ``PUBLIC_PATH``."""


def enforcement_rules(context: Context) -> list[str]:
    """Is the customer, the site, the hostname or the path blocked? Then the block page, and no more; but the
    statement that it links to is there for everybody, and where only a part of a site is blocked, too."""
    found = "if { var(txn.blk) -m found }"
    return [
        *block_rules(context, "http-request", "txn", "host", _HIT),
        *_path_rules(context),
        *(_public_rules() if context.public else []),
        f"http-request set-var(txn.slot) str({BLOCKED}) {found}",
        f"http-request allow {found}",
    ]


def _public_rules() -> list[str]:
    asked = f"{{ path_beg {PUBLIC_PATH} }} {{ method GET HEAD }}"
    return [
        f"http-request set-var(txn.slot) str({PUBLIC}) if {{ var(txn.blk) -m found }} {asked}"
        f" or {{ var(txn.pathq) -m found }} {asked}",
        f"http-request allow if {{ var(txn.slot) -m str {PUBLIC} }}",
    ]


def blocked_rules(context: Context) -> list[str]:
    """The block page of the record that was found."""
    return [
        f"http-request set-var(txn.rec) var(txn.blk),map({context.places.map(Maps.BLOCK_RECORDS)})",
        f"http-request sc-inc-gpc({Reason.BLOCKED},1)",
        *_page_rules(context),
    ]


def _path_rules(context: Context) -> list[str]:
    """The same normal form as ``model.path.normal_path``, made in place and undone: HAProxy normalises only
    the request itself. Done only for sites that have a blocked prefix. A path that cannot be decoded cannot
    be compared, so it is refused there. ``%3f`` stays as it is: decoded, set-path would end the path there,
    and ``/%3f/../x`` would pass for ``/``."""
    at = context.places.map
    asked = "if { var(txn.pathq) -m found }"
    prefix = f"var(txn.sid),concat(,txn.path),map_beg({at(Maps.BLOCK_PREFIXES)})"
    return [
        f"http-request set-var(txn.pathq) pathq if {{ var(txn.sid),map({at(Maps.BLOCK_PATHS)}) -m found }}"
        " { path -m beg / } !{ var(txn.blk) -m found }",
        f"http-request set-var(txn.path) path,{DECODED} {asked}",
        'http-request return status 400 content-type text/plain string "This path is not well formed.\\n"'
        " if { var(txn.pathq) -m found } !{ var(txn.path) -m found }",
        f"http-request set-path %[var(txn.path)] {asked}",
        f"http-request normalize-uri path-merge-slashes {asked}",
        f"http-request normalize-uri path-strip-dot {asked}",
        f"http-request normalize-uri path-strip-dotdot full {asked}",
        f"http-request set-var(txn.path) path,rtrim(/),concat(/),lower {asked}",
        f"http-request set-var(txn.blk) {prefix} {asked}",
        unless_ended(context, "http-request", "txn"),
        f"http-request set-pathq %[var(txn.pathq)] {asked}",
    ]


def _page_rules(context: Context) -> list[str]:
    legal = f"{{ var(txn.rec),field({field_of('status')},|) -m str 451 }}"
    json = "{ req.fhdr(accept) -m sub -i /json +json } !{ req.fhdr(accept) -m sub -i text/html }"
    headers = (
        'hdr Cache-Control no-store hdr X-Content-Type-Options nosniff hdr Vary "Accept, Accept-Language"'
    )
    # A record is safe in HTML: in a header its escapes are undone (links have no others, see ``pages``).
    provider = f"var(txn.rec),field({field_of('provider_url')},|),regsub(&#x27;,\\\\',g),regsub(&amp;,&,g)"
    blocked_by = f'hdr Link "<%[{provider}]>; rel=\\"blocked-by\\""'
    policy = f'hdr Content-Security-Policy "{CONTENT_SECURITY_POLICY}" hdr Referrer-Policy no-referrer'
    lines = [
        "http-request deny deny_status 403 if !{ var(txn.rec) -m found }",
        language_rule(),
    ]
    document = f'lf-string "%[var(txn.blk),map({context.places.map(Maps.BLOCK_PROBLEMS)})]"'
    for status, condition in ((451, f" {legal}"), (403, "")):
        told = f"{blocked_by} {headers}" if status == 451 else headers
        lines.append(
            f"http-request return status {status} content-type application/problem+json {document}"
            f" {told} if{condition} {json}"
        )
        for language in (*LANGUAGES[1:], LANGUAGES[0]):
            speaks = "" if language == LANGUAGES[0] else f" {{ var(txn.lang) -m str {language} }}"
            page = context.places.page(status, language)
            when = f" if{condition}{speaks}" if condition or speaks else ""
            lines.append(
                f'http-request return status {status} content-type "text/html; charset=utf-8" lf-file {page}'
                f" hdr Content-Language {language} {told} {policy}{when}"
            )
    return lines


def field_of(name: str) -> int:
    """The position of a record's field as HAProxy's ``field`` converter counts."""
    return RECORD_FIELDS.index(name) + 1
