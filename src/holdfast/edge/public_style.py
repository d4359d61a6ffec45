"""How the public pages look: the block page's card, wide enough for a statement to be read. Not here: what is
on them (``public_pages``)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from holdfast.edge.dataplane.pages import BASE_STYLE

PUBLIC_STYLE: Final = (
    BASE_STYLE
    + """\
body{place-items:start center}
main{max-width:50rem}
.kind{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;color:var(--soft);font-size:.9rem}
.kind svg{flex:none;color:var(--link)}
.status{padding:.05rem .6rem;border:1px solid var(--line);border-radius:1rem;font-weight:600}
.now .status{border-color:var(--fill);background:var(--fill);color:var(--on)}
h2{margin:2.25rem 0 .7rem;font-size:1.3rem;line-height:1.25}
p+p{margin-top:.6rem}
.soft,footer{color:var(--soft)}
a{color:var(--link);text-underline-offset:.15em}
dl{margin:1.25rem 0;border-top:1px solid var(--line)}
dl div{display:grid;grid-template-columns:minmax(9rem,1fr) 3fr;gap:.1rem 1.25rem;padding:.6rem 0;\
border-bottom:1px solid var(--line)}
dt{color:var(--soft)}
dd{font-weight:550}
dd code{font-weight:400}
code,pre{font-family:ui-monospace,"Cascadia Mono","DejaVu Sans Mono",monospace;font-size:.875em}
.code{font-variant-numeric:tabular-nums}
pre{margin:.8rem 0;padding:.9rem 1rem;border:1px solid var(--line);border-radius:.5rem;\
background:var(--page);white-space:pre-wrap}
article{padding:1.1rem 1.4rem 1.3rem;border:1px solid var(--line);border-radius:.5rem;\
border-inline-start:.25rem solid var(--fill)}
article>*+*{margin-top:.85rem}
article :is(h3,h4,h5,h6){line-height:1.3}
article *+:is(h3,h4,h5,h6){margin-top:1.5rem}
h3{font-size:1.15rem}
h4,h5,h6{font-size:1rem}
:is(ul,ol){padding-inline-start:1.5rem}
li+li{margin-top:.3rem}
blockquote{padding-inline-start:1rem;border-inline-start:.2rem solid var(--line);color:var(--soft)}
table{width:100%;border-collapse:collapse}
:is(th,td){padding:.35rem .6rem;border:1px solid var(--line);text-align:start;vertical-align:top}
hr{border:0;border-top:1px solid var(--line)}
nav{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:.75rem;margin-top:1rem}
nav a{display:block;padding:.7rem 1rem;border:1px solid var(--link);border-radius:.5rem;text-decoration:none;\
line-height:1.4}
nav b{display:block;text-decoration:underline}
nav span{color:var(--soft);font-size:.9rem}
nav a:hover,nav a:hover span{background:var(--fill);color:var(--on)}
.list{margin:1.25rem 0 0;padding:0;list-style:none}
.list li{margin:0;padding:.9rem 0;border-top:1px solid var(--line)}
.list :is(a,p){margin-top:.2rem}
.list a{display:inline-block;min-height:1.6rem;font-weight:600}
footer{margin-top:2.25rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.9rem}
.tongues{display:flex;flex-wrap:wrap;gap:.4rem 1.1rem;margin-top:.8rem}
.tongues a{display:inline;padding:.3rem 0;border:0;text-decoration:underline}
.tongues a:hover{background:none;color:var(--ink)}
@media(max-width:34rem){dl div{grid-template-columns:1fr}article{padding:.9rem 1rem}}
@media print{body{display:block;padding:0;background:none}main{max-width:none;border:0;padding:0;\
box-shadow:none}nav{display:block}nav a{border:0;padding:.3rem 0}.tongues{display:none}h2{break-after:avoid}\
a[href]::after{content:" <"attr(href)">";font-weight:400}}
"""
)
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(PUBLIC_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The header to send with every public page: its one inline style, links, and nothing else."""
