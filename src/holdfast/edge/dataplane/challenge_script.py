"""The challenge page's script: solves the proof of work in workers, says so, and goes on to the page.

It speaks to nobody but the site itself, and keeps nothing but how its last tries in this tab ended, so that
it gives up where a browser takes no cookies. SHA-256 is written out (FIPS 180-4): browsers offer theirs on
encrypted pages only, and one call of it costs more than the hash. The page and its workers run the same file.
"""

from __future__ import annotations

import json
from typing import Final

from holdfast.edge.dataplane.challenge_words import WAIT_SECONDS, WORDS


def challenge_script() -> str:
    """The file."""
    words = {
        language: {
            "working": each.works,
            "longer": each.longer,
            "done": each.done,
            "cookies": each.cookies,
            "failed": each.failed,
            "waiting": each.waits,
        }
        for language, each in WORDS.items()
    }
    told = json.dumps(words, ensure_ascii=False)
    return f'"use strict";\nconst WAIT = {WAIT_SECONDS}, WORDS = {told};\n{_SEARCH}{_PAGE}'


# Nothing is allocated for a hash: that is five times as fast as the same with arrays that come and go.
_SEARCH: Final = """\
const search = (salt, goal, start, step, most) => {
  const K = new Int32Array(64), W = new Int32Array(64), S = new Int32Array(8);
  for (let n = 2, found = 0; found < 64; n++) {
    let d = 2;
    while (d * d <= n && n % d) d++;
    if (d * d <= n) continue;
    if (found < 8) S[found] = Math.sqrt(n) % 1 * 2 ** 32;
    K[found++] = Math.cbrt(n) % 1 * 2 ** 32;
  }
  const compress = (bytes, at) => {
    for (let i = 0; i < 16; i++, at += 4)
      W[i] = bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
    for (let i = 16; i < 64; i++) {
      const x = W[i - 15], y = W[i - 2];
      W[i] = W[i - 16] + W[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
        + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
    }
    let a = S[0], b = S[1], c = S[2], d = S[3], e = S[4], f = S[5], g = S[6], h = S[7];
    for (let i = 0; i < 64; i++) {
      const one = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7))
        + (e & f ^ ~e & g) + K[i] + W[i] | 0;
      const two = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10))
        + (a & b ^ a & c ^ b & c) | 0;
      h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    S[0] += a; S[1] += b; S[2] += c; S[3] += d; S[4] += e; S[5] += f; S[6] += g; S[7] += h;
  };
  const bytes = new TextEncoder().encode(salt), whole = bytes.length & ~63, rest = bytes.length - whole;
  for (let at = 0; at < whole; at += 64) compress(bytes, at);
  const known = S.slice(), tail = new Uint8Array(128);
  tail.set(bytes.subarray(whole));
  const wanted = goal.match(/.{8}/g).map(part => parseInt(part, 16) | 0);
  for (let n = start; n < most; n += step) {
    const digits = String(n), end = rest + digits.length, last = end < 56 ? 64 : 128;
    for (let i = 0; i < digits.length; i++) tail[rest + i] = digits.charCodeAt(i);
    tail.fill(0, end);
    tail[end] = 128;
    tail[last - 2] = 8 * (whole + end) >>> 8;
    tail[last - 1] = 8 * (whole + end);
    S.set(known);
    compress(tail, 0);
    if (last > 64) compress(tail, 64);
    if (S[0] === wanted[0] && wanted.every((part, i) => part === S[i])) return n;
  }
  return -1;
};
"""
_PAGE: Final = """\
const run = script => {
  const main = document.querySelector("main"), form = document.querySelector("form");
  const id = document.querySelector(".id");
  const sections = [...document.querySelectorAll("section")], tongues = sections.map(each => each.lang);
  const spoken = (navigator.languages || []).map(each => each.slice(0, 2).toLowerCase());
  const tongue = spoken.find(each => tongues.includes(each)) || tongues[0];
  const shown = sections.find(each => each.lang === tongue);
  const status = shown.querySelector("[role=status]"), button = shown.querySelector("button");
  sections.forEach(each => { each.hidden = each !== shown; });
  document.documentElement.lang = tongue;
  document.documentElement.dir = shown.dir;
  document.title = shown.querySelector("h1").textContent;
  document.querySelector(".site").textContent = location.hostname;

  // How the last tries in this tab ended, and when: nothing is tried for ever.
  const past = () =>
    JSON.parse(sessionStorage.holdfast || "[]").filter(([, at]) => Date.now() - at < 600000);
  const note = how => { sessionStorage.holdfast = JSON.stringify([...past(), [how, Date.now()]]); };
  const often = how => past().filter(([each]) => each === how).length > 2;
  form.addEventListener("submit", () => { try { delete sessionStorage.holdfast; } catch {} });

  const workers = [];
  let settled = false, patience;
  const say = what => {
    main.dataset.state = what;
    status.textContent = WORDS[tongue][what];
    button.hidden = what === "working" || what === "done";
  };
  const settle = () => {
    settled = true;
    workers.forEach(each => each.terminate());
  };
  const end = what => { settle(); clearTimeout(patience); say(what); };
  const go = () => {
    // By the link, where the page has one: it is not at the visitor's own address then.
    if (form.elements.s) location.replace(form.action + "?" + new URLSearchParams(new FormData(form)));
    // What was sent is sent again.
    else location.reload();
  };
  const fail = () => {
    end(form.elements.s ? "waiting" : "failed");
    if (form.elements.s) setTimeout(go, 1000 * WAIT);
  };
  // An edge under attack may be out of reach for a moment, or ask for patience.
  const answered = async url => {
    for (let left = 3; ; left--) {
      const answer = await fetch(url, {cache: "no-store"}).catch(() => null);
      if (answer && answer.status !== 429 && answer.status < 500 || left === 0) return answer;
      const seconds = Number(answer && answer.headers.get("Retry-After")) || 2;
      await new Promise(over => setTimeout(over, 1000 * seconds));
    }
  };
  const show = async (asked, number) => {
    const {challenge, salt, signature} = asked;
    const told = {algorithm: "SHA-256", challenge, number, salt, signature};
    const coded = btoa(JSON.stringify(told)).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=/g, "");
    const answer = await answered(main.dataset.solved + "?altcha=" + coded);
    if (!answer || answer.status === 429 || answer.status >= 500) { fail(); return; }
    await answer.text();
    // Refused: it came to its end meanwhile, as the machine slept. The next page has another.
    note(answer.ok ? "cookies" : "failed");
    if (answer.ok) end("done");
    go();
  };

  try {
    const ended = ["cookies", "failed"].find(often);
    if (ended || !navigator.cookieEnabled) { end(ended || "cookies"); return; }
  } catch { end("cookies"); return; }
  const solve = asked => {
    const count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
    let searching = count;
    for (let i = 0; i < count; i++) {
      const worker = new Worker(script);
      workers.push(worker);
      worker.onerror = fail;
      worker.onmessage = ({data}) => {
        searching--;
        // What another has posted before it was ended may still come.
        if (settled || data < 0 && searching) return;
        settle();
        if (data < 0) fail();
        else show(asked, data).catch(fail);
      };
      worker.postMessage([asked.salt, asked.challenge, i, count, asked.maxnumber]);
    }
  };

  say("working");
  patience = setTimeout(say, 5000, "longer");
  answered(main.dataset.ask).then(async answer => {
    const asked = answer && await answer.json().catch(() => null);
    if (asked && asked.salt) {
      id.textContent = asked.id;
      solve(asked);
    }
    // The attack is over: what answers is the site itself.
    else if (answer) { note("failed"); go(); }
    else fail();
  }).catch(fail);
};
if (typeof document === "undefined") onmessage = ({data}) => postMessage(search(...data));
else {
  run(document.currentScript.src);
  // Back to it from another page, as it was left: what it wanted to know is known by now.
  addEventListener("pageshow", ({persisted}) => { if (persisted) location.reload(); });
}
"""
