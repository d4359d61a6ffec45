"""The challenge: a page with a proof of work, and with a timed link for those without JavaScript. Who passes
one of them gets a clearance.

HAProxy makes and checks all of it by itself, so that a flood of either costs the agent nothing, and visitors
pass while it is dead. These rules stand in backends of their own, which only challenged requests come to.
What is signed, and how it is checked, is in ``proof`` and ``timed_link``.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_page import ASK, ASSETS, POLICY, WAIT
from holdfast.edge.dataplane.reasons import Verdict
from holdfast.edge.dataplane.rules import proof, timed_link
from holdfast.edge.dataplane.rules.context import Context
from holdfast.edge.dataplane.rules.first_page import ASKED, COUNTED, FIXED, HTML, first_page
from holdfast.edge.dataplane.rules.refused import BROWSER, ID, identified, problem
from holdfast.edge.dataplane.rules.shield import CLEARED, COOKIE, FREE, MATCHED, OVER_CEILING, SECURE_COOKIE

CLEARANCE_SECONDS: Final = 3600
EARNED_SECONDS: Final = 600
"""What a network (/24, /48) may earn is counted over so long."""
EARNED: Final = "{ var(txn.earned) -m bool }"
TIMELY: Final = "{ var(txn.timely) -m bool }"
GENUINE: Final = "{ var(txn.genuine) -m bool }"
"""What was shown is of this edge's making, of whatever age."""
_ASIDE: Final = f"{{ sc_inc_gpc({Verdict.ASIDE},1) gt 0 }}"
_HEADERS: Final = f"{ID} {FIXED}"


def page_rules(context: Context) -> list[str]:
    """The page, as it is for everybody. Programs solve nothing, and are told what to do instead; whoever is a
    browser says that it takes HTML when it asks for a page."""
    document = problem(
        context,
        "challenge",
        403,
        "This site is under attack",
        "Browsers pass a short challenge by themselves. Programs are let in once their network is on the"
        " site's allow list: ask the site's owner, or who protects it (see contact), and name this id.",
    )
    words = "This site is under attack. Ask its owner to put your network on the allow list (%[var(txn.id)])."
    return [
        *first_page(context, ASKED, sent=False),
        *first_page(context, BROWSER, sent=True),
        identified(),
        # It shows its user what is plain text, and of anything else the status only.
        f'http-request return status 403 content-type text/plain lf-string "{words}\\n" {_HEADERS}'
        f" hdr Retry-After 60 if {{ req.fhdr(user-agent) -m beg git/ }} {COUNTED}",
        f"http-request return status 403 {document} {_HEADERS} hdr Retry-After 60 if {COUNTED}",
    ]


def passing_rules(context: Context) -> list[str]:
    """The way through: style and script, a challenge or a link of one's own, what was solved or followed."""
    at = context.places
    return [
        *_assets(context),
        f"{identified()} if {MATCHED}",
        'http-request set-var-fmt(txn.id) "challenge.%[var(txn.now)]" if !{ var(txn.id) -m found }',
        # What is asked for here names no attack: it has a ceiling of its own.
        "http-request set-log-level silent",
        *_ceiling(context),
        *timed_link.check(context),
        *proof.check(context),
        *_earn(),
        *_give_clearance(context),
        f"http-request return status 403 {_refused(context)} {_HEADERS} if {proof.SOLVES} {_ASIDE}",
        *timed_link.way_back(),
        # Back to the page that waited, from the one that it led to.
        *(rule for need in (CLEARED, FREE) for rule in _go_on(context, f"{{ path {WAIT} }} {need}")),
        *timed_link.make(context),
        f"http-request return status 403 {HTML} lf-file {at.wait_page} {_HEADERS}"
        f' hdr Content-Security-Policy "{POLICY}"'
        f" if !{{ path {ASK} }} {_ASIDE}",
        *proof.make(context),
        f"http-request return status 200 {_asked()} {_HEADERS} if {_ASIDE}",
    ]


def _asked() -> str:
    """A challenge as ALTCHA's servers give it, and our id."""
    fields = (
        '\\"algorithm\\":\\"SHA-256\\"',
        '\\"challenge\\":\\"%[var(txn.goal)]\\"',
        '\\"maxnumber\\":%[var(txn.max)]',
        '\\"salt\\":\\"%[var(txn.salt)]\\"',
        '\\"signature\\":\\"%[var(txn.signature)]\\"',
        '\\"id\\":\\"%[var(txn.id)]\\"',
    )
    return f'content-type application/json lf-string "{{{",".join(fields)}}}\\n"'


def _refused(context: Context) -> str:
    return problem(
        context,
        "unsolved",
        403,
        "Not a solution",
        "It is wrong, too old, or of another host. Ask for a new one.",
    )


def _ceiling(context: Context) -> list[str]:
    """A client that asks again and again without a clearance gets few words, and nothing is signed for it."""
    document = problem(
        context,
        "ceiling",
        429,
        "Too many requests without a clearance",
        "Wait a moment, or pass the challenge once in a browser.",
    )
    text = (
        'content-type text/plain string "Too many come from your address at once. Please try again soon.\\n"'
    )
    over = f"{OVER_CEILING} !{FREE} !{CLEARED} {_ASIDE}"
    over = f"{OVER_CEILING} !{FREE} !{CLEARED} {_ASIDE}"
    return [
        f"http-request return status 429 {text} {_HEADERS} hdr Retry-After 10 if {BROWSER} {over}",
        f"http-request return status 429 {document} {_HEADERS} hdr Retry-After 10 if {over}",
    ]


def _earn() -> list[str]:
    """A network earns so many clearances of a site. What is shown again earns nothing more, and nobody's: it
    would cost others of the network theirs. Whoever has shown nothing of ours is counted for the ceiling."""
    new = f"{TIMELY} !{CLEARED} !{FREE} !{{ sc_get_gpc0(0) gt 0 }}"
    quotas = (
        (timed_link.FOLLOWS, 0, timed_link.LINKS_PER_NETWORK),
        (proof.SOLVES, 1, proof.PROOFS_PER_NETWORK),
    )
    return [
        f"http-request track-sc0 var(txn.n) table shown if {TIMELY}",
        f"http-request track-sc2 src,ipmask(24,48),concat(|,txn.sid) table earned if {new}",
        f"http-request track-sc2 src,ipmask(32,64) table strangers if !{GENUINE} !{CLEARED} !{FREE}",
        f"http-request sc-inc-gpc0(2) if !{GENUINE}",
        *(
            f"http-request set-var(txn.crowded) bool(true) if {way} {new} {{ sc_inc_gpc({index},2) gt 0 }}"
            f" {{ sc_gpc_rate({index},2) gt {most} }}"
            for way, index, most in quotas
        ),
        f"http-request set-var(txn.earned) bool(true) if {TIMELY} !{CLEARED} !{FREE}"
        " !{ var(txn.crowded) -m bool }",
        f"http-request sc-inc-gpc({Verdict.EARNED},1) if {EARNED} {new}",
        f"http-request sc-inc-gpc0(0) if {EARNED}",
    ]


def _assets(context: Context) -> list[str]:
    """The page's style and script. A page that was made before an upgrade gets the present ones."""
    return [
        f"http-request return status 200 content-type {kind} file {file}"
        ' hdr Cache-Control "public, max-age=604800" hdr X-Content-Type-Options nosniff'
        f" if {{ path_beg {ASSETS} }} {{ path_end {ending} }} {_ASIDE}"
        for ending, kind, file in (
            (".js", '"text/javascript; charset=utf-8"', context.places.challenge_script),
            (".css", "text/css", context.places.challenge_style),
        )
    ]


def _give_clearance(context: Context) -> list[str]:
    """A token follows from what was shown alone: whoever shows that again, or to another edge, has the same
    one. Who needs none goes on without another: a second tab, a source that the site allows by now."""
    cookie = (
        "%[var(txn.token)].%[var(txn.token),hmac(sha256,txn.lkey),ub64enc]; Path=/;"
        " Max-Age=%[var(txn.end),sub(txn.now)]; HttpOnly; SameSite=Lax"
    )
    follows, solves = timed_link.FOLLOWS, proof.SOLVES
    crowded = problem(
        context,
        "crowded",
        429,
        "Too many clearances for one network",
        "Others of your network have just earned many. Wait a minute.",
    )
    return [
        *(
            rule
            for need in (CLEARED, FREE)
            for rule in (
                *_go_on(context, f"{follows} {GENUINE} {need}"),
                f"{_DONE} if {solves} {GENUINE} {need} {_ASIDE}",
            )
        ),
        f"http-request return status 429 {crowded} {_HEADERS} hdr Retry-After 60"
        f" if {solves} {{ var(txn.crowded) -m bool }} {_ASIDE}",
        f"http-request set-var(txn.end) var(txn.born),add({CLEARANCE_SECONDS}) if {EARNED}",
        'http-request set-var-fmt(txn.head) "{\\"alg\\":\\"HS256\\",\\"typ\\":\\"JWT\\",'
        f'\\"kid\\":\\"%[var(txn.k)]\\"}}" if {EARNED}',
        'http-request set-var-fmt(txn.body) "{\\"host\\":\\"%[var(txn.host)]\\",\\"exp\\":%[var(txn.end)],'
        f'\\"jti\\":\\"%[var(txn.n)]\\",\\"how\\":\\"%[var(txn.how)]\\"}}" if {EARNED}',
        f"http-request set-var(txn.body) var(txn.body),ub64enc if {EARNED}",
        f"http-request set-var(txn.token) var(txn.head),ub64enc,concat(.,txn.body) if {EARNED}",
        *_go_on(context, f"{EARNED} {follows}", cookie),
        f"{_DONE} {_set(SECURE_COOKIE, cookie)} if {EARNED} {context.secure} {_ASIDE}",
        f"{_DONE} {_set(COOKIE, cookie)} if {EARNED} {_ASIDE}",
    ]


_DONE: Final = "http-request return status 204 hdr Cache-Control no-store"


def _set(name: str, cookie: str) -> str:
    """Browsers keep one that was set over TLS from being replaced over plain HTTP: each has its own name."""
    return f'hdr Set-Cookie "{name}={cookie}{"; Secure" if name == SECURE_COOKIE else ""}"'


def _go_on(context: Context, condition: str, cookie: str = "") -> list[str]:
    """Back to where the visitor wanted to go: on this host, whatever the path begins with."""
    answer = 'status 303 content-type text/plain string "Go on.\\n" hdr Cache-Control no-store'
    back = "%[req.fhdr(host)]%[var(txn.w),ub64dec]"
    return [
        f'http-request return {answer} hdr Location "{scheme}://{back}"'
        f"{f' {_set(name, cookie)}' if cookie else ''} if {condition}{secure} {_ASIDE}"
        for scheme, name, secure in (("https", SECURE_COOKIE, f" {context.secure}"), ("http", COOKIE, ""))
    ]
