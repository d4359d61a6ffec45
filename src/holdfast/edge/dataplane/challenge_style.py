"""How the challenge page looks: one card, whose upper edge moves while something goes on. Not here: words
(``challenge_words``), what is on it (``challenge_page``).

The script sets ``data-state`` of ``main``. Until it has come the page waits for it in silence, a second at
most, so that nobody sees five languages for a moment; without JavaScript they are there at once.
"""

from __future__ import annotations

from typing import Final

from holdfast.edge.dataplane.challenge_words import WAIT_SECONDS, WORDS
from holdfast.edge.dataplane.pages import BASE_STYLE

_SHIELD: Final = "M12 1l9 3.4v6.8c0 6.7-3.8 10.5-9 12.3-5.2-1.8-9-5.6-9-12.3V4.4z"
_CARD: Final = f"""\
main{{--sign:var(--fill);position:relative;overflow:hidden;max-width:36rem;box-shadow:none}}
main::before,main::after{{content:"";position:absolute;top:0;inset-inline-start:0;width:100%;height:.3rem;\
background:var(--line)}}
main::after{{background:var(--sign)}}
.site{{display:flex;gap:.5rem;align-items:center;color:var(--soft);font-size:.9rem}}
.site::before{{content:"";flex:none;width:24px;height:24px;margin-inline-start:-3px;\
background:var(--sign);clip-path:path("{_SHIELD}")}}
section+section{{margin-top:1.75rem;padding-top:1.25rem;border-top:1px solid var(--line)}}
section+section h1{{margin:0 0 .4rem;font-size:1.25rem}}
h1+p{{font-size:1.1rem}}
section+section h1+p{{font-size:1rem}}
[role=status]{{margin-top:.6rem;color:var(--soft)}}
button{{margin-top:1.1rem;min-height:2.75rem;padding:.55rem 1.5rem;border:1px solid var(--fill);\
border-radius:.5rem;background:var(--fill);color:var(--on);font:inherit;font-weight:600;cursor:pointer}}
button:hover{{text-decoration:underline}}
section+section button{{background:none;color:var(--link)}}
.id{{margin-top:1.75rem;padding-top:.9rem;border-top:1px solid var(--line);font-size:.85rem;\
color:var(--soft);font-variant-numeric:tabular-nums}}
.id::before{{content:"ID "}}
.id:empty{{visibility:hidden}}
[dir=rtl] .id{{text-align:right}}
[hidden]{{display:none!important}}
[data-state] form{{min-height:13rem}}
[data-state] section{{margin:0!important;padding:0!important;border:0!important}}
[data-state] section h1{{margin:.6rem 0 .8rem;font-size:clamp(1.6rem,6vw,2.3rem)}}
[data-state] section h1+p{{font-size:1.1rem}}
[data-state] section button{{background:var(--fill);color:var(--on)}}
[data-state=failed],[data-state=cookies]{{--sign:#a85a06}}
[data-state=failed] [role=status],[data-state=cookies] [role=status]{{color:var(--ink)}}
@media(prefers-color-scheme:dark){{[data-state=failed],[data-state=cookies]{{--sign:#f0b467}}}}
"""
_MOTION: Final = f"""\
@media(scripting:enabled){{main:not([data-state]){{animation:come 0s 1s both}}}}
@media(prefers-reduced-motion:no-preference){{
main:not([data-state])::after,[data-state=waiting]::after{{animation:fill {WAIT_SECONDS}s linear}}
[data-state=working]::after,[data-state=longer]::after{{width:35%;animation:pass 1.6s ease-in-out infinite}}
}}
@keyframes come{{from{{visibility:hidden}}}}
@keyframes fill{{from{{width:0}}}}
@keyframes pass{{from{{inset-inline-start:-35%}}to{{inset-inline-start:100%}}}}
"""
_GOES_ON: Final = "".join(f":not([data-state={state}])" for state in ("working", "done"))
_SENT: Final = "".join(
    f'.POST{_GOES_ON} :lang({language}) [role=status]::after{{content:" {words.sent}"}}\n'
    for language, words in WORDS.items()
)
"""Without JavaScript nothing can repeat a form, and the page says so."""
PAGE_STYLE: Final = BASE_STYLE + _CARD + _MOTION + _SENT
