#!/usr/bin/env bash
# Puts on this machine what Holdfast needs: Debian packages and a Python environment in .venv.
#
#   scripts/setup.sh [run|test|bench]     run is the default; test and bench bring what they need on top
#
# Safe to call at any time: a second call finds nothing to do and ends at once. What is already installed
# is left as it is. A package is named, with the reason, before it is installed. The services that Debian
# would start for them are not started and not enabled: Holdfast and its benchmarks start their own.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
POLICY=/usr/sbin/policy-rc.d
POLICY_KEPT=$POLICY.before-holdfast
POLICY_MARK="written by Holdfast's scripts/setup.sh"

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: error: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# ---- as root: install packages without starting what they bring ------------------------------------

# invoke-rc.d asks policy-rc.d before it starts a service; 101 means no. Whatever was there comes back.
hold_services() {
    restore_policy # an earlier call may have been killed half way
    if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then mv "$POLICY" "$POLICY_KEPT"; fi
    printf '#!/bin/sh\n# %s; removed when it ends\nexit 101\n' "$POLICY_MARK" >"$POLICY"
    chmod 755 "$POLICY"
}

restore_policy() {
    if [ -f "$POLICY" ] && grep -qF "$POLICY_MARK" "$POLICY"; then rm -f "$POLICY"; fi
    if [ -e "$POLICY_KEPT" ] || [ -L "$POLICY_KEPT" ]; then mv "$POLICY_KEPT" "$POLICY"; fi
}

has_service() { [ -e "/lib/systemd/system/$1.service" ] || [ -e "/etc/init.d/$1" ]; }

quietly() { # runs a command, shows its output only if it fails
    local log
    log="$(mktemp)"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# Debian's crowdsec registers the machine with its makers when it is installed, unless this file says something
# (its README.Debian). A benchmark tells nobody outside about the machine.
CROWDSEC_REGISTRATION=/etc/crowdsec/online_api_credentials.yaml
stay_unregistered() {
    if [ -s "$CROWDSEC_REGISTRATION" ]; then return; fi
    mkdir -p "${CROWDSEC_REGISTRATION%/*}"
    printf '# no registration: %s\n' "$POLICY_MARK" >"$CROWDSEC_REGISTRATION"
}

install_as_root() {
    local service new=()
    for service in haproxy nginx fail2ban crowdsec crowdsec-firewall-bouncer; do
        has_service "$service" || new+=("$service")
    done
    if [[ " $* " == *" crowdsec "* ]]; then stay_unregistered; fi
    trap restore_policy EXIT
    trap 'exit 130' INT TERM HUP
    hold_services
    export DEBIAN_FRONTEND=noninteractive
    say "apt-get update"
    quietly apt-get -q -o DPkg::Lock::Timeout=120 update ||
        fail "apt-get update failed (its output is above)." "Check the machine's package sources and network, then call this again."
    say "apt-get install $*"
    quietly apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 install "$@" ||
        fail "apt-get install failed (its output is above)." "Repair it (often: dpkg --configure -a; apt-get -f install), then call this again."
    for service in "${new[@]}"; do
        has_service "$service" || continue
        if command -v systemctl >/dev/null; then
            quietly systemctl disable "$service"
        else
            quietly update-rc.d "$service" disable
        fi || say "could not disable $service at boot; by hand: systemctl disable $service"
        say "the distribution's own $service service is neither started nor enabled"
    done
}

if [ "${1:-}" = --install-as-root ]; then # called by ourselves, through sudo where needed
    shift
    install_as_root "$@"
    exit 0
fi

# ---- what is wanted --------------------------------------------------------------------------------

MODE="${1:-run}"
case "$MODE" in
    run) REQUIREMENTS=run ;;
    test | bench) REQUIREMENTS=dev ;;
    *) fail "unknown mode '$MODE'" "Usage: scripts/setup.sh [run|test|bench]" ;;
esac

# Two calls at once (say, make test and make up) must not build one .venv together: the second waits.
exec 9<"${BASH_SOURCE[0]}"
flock 9

find_python() { # the first that runs and is new enough; a name on PATH may be a shim without a Python behind it
    local name
    for name in python3.11 python3 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
}

# ---- Debian packages -------------------------------------------------------------------------------

declare -A WHY=(
    [haproxy]="the data plane: every request passes through it"
    [ca-certificates]="to verify the origins' certificates"
    [python3]="Holdfast needs Python 3.11 or newer, and none was found"
    [python3-venv]="to make .venv: this Python has no ensurepip"
    [nginx-light]="stands in for customers' origins in the tests"
    [curl]="a real client: for the story, and what the demonstration suggests to try"
    [wrk]="HTTP/1.1 load, for floods and measurements"
    [nghttp2-client]="h2load: HTTP/2 load, for floods and measurements"
    [slowhttptest]="slow clients, in all the ways that made them known"
    [openssl]="test certificates and a TLS client"
    [chromium]="the browser of the browser tests"
    [git]="clones over HTTPS through a challenged site, in the tests"
    [newsboat]="a feed reader that meets a challenge, in the tests"
    [httpie]="a JSON client that meets a challenge, in the tests"
    [iproute2]="network namespaces and socket figures (ip, ss)"
    [nftables]="the firewall by which fail2ban and CrowdSec refuse, in namespaces of their own"
    [fail2ban]="a peer in bench/floods"
    [python3-pyinotify]="lets fail2ban see a new log line at once"
    [crowdsec]="a peer in bench/floods, with the scenarios that Debian ships"
    [crowdsec-firewall-bouncer]="the part of CrowdSec that refuses"
)
wanted=(haproxy ca-certificates curl)
if [ "$MODE" != run ]; then
    wanted+=(nginx-light wrk nghttp2-client slowhttptest openssl chromium iproute2
        git newsboat httpie)
fi
if [ "$MODE" = bench ]; then
    wanted+=(nftables fail2ban python3-pyinotify crowdsec crowdsec-firewall-bouncer)
fi

command -v dpkg-query >/dev/null ||
    fail "this machine has no dpkg: the script knows Debian packages only (Debian 12 or newer)." \
        "Needed here for '$MODE': ${wanted[*]}, and Python 3.11 or newer."

installed="$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)"
missing=()
for package in "${wanted[@]}"; do
    [[ $'\n'"$installed"$'\n' == *$'\n'"$package installed"$'\n'* ]] || missing+=("$package")
done
PYTHON="$(find_python)"
if [ -z "$PYTHON" ]; then
    missing+=(python3 python3-venv)
elif [ ! -x "$VENV/bin/python" ] && ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
fi

if [ ${#missing[@]} -gt 0 ]; then
    say "going to install these Debian packages (for '$MODE'):"
    for package in "${missing[@]}"; do printf '         %-16s %s\n' "$package" "${WHY[$package]}"; done
    if [ "$(id -u)" -eq 0 ]; then
        bash "${BASH_SOURCE[0]}" --install-as-root "${missing[@]}"
    elif command -v sudo >/dev/null; then
        say "this needs root: calling sudo"
        sudo bash "${BASH_SOURCE[0]}" --install-as-root "${missing[@]}"
    else
        fail "installing packages needs root, and there is no sudo here. As root, run:" \
            "apt-get update && apt-get install --no-install-recommends ${missing[*]}" \
            "(Debian starts haproxy and nginx when it installs them: stop and disable them if nothing else uses them.)" \
            "Then call scripts/setup.sh $MODE again."
    fi
    PYTHON="$(find_python)"
    [ -n "$PYTHON" ] ||
        fail "no Python 3.11 or newer, also after installing python3." "Holdfast needs Debian 12 or newer."
fi

# ---- Python environment ----------------------------------------------------------------------------

cd "$ROOT"
# A stamp says which files an environment was made from. It holds the folder too: scripts in .venv name it.
stamp_of() { { echo "$ROOT"; cat pyproject.toml requirements/run.txt "requirements/$1.txt"; } | sha256sum | cut -d' ' -f1; }
stamped() { [ -f "$VENV/.stamp-$1" ] && [ "$(<"$VENV/.stamp-$1")" = "$(stamp_of "$1")" ]; }

if [ -x "$VENV/bin/python" ] && stamped "$REQUIREMENTS" && "$VENV/bin/python" -c '' 2>/dev/null; then
    say "ready ($MODE): nothing to do"
    exit 0
fi

# An environment that was moved, or whose Python has gone, cannot be mended: it is made anew.
if [ ! -x "$VENV/bin/python" ] || [ "$(cat "$VENV/.root" 2>/dev/null)" != "$ROOT" ] ||
    ! "$VENV/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "making .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear "$VENV" ||
        fail "could not make .venv." "Install Debian's python3-venv (or your Python's ensurepip) and call this again."
    echo "$ROOT" >"$VENV/.root"
fi

rm -f "$VENV"/.stamp-*
pip=("$VENV/bin/python" -m pip --disable-pip-version-check --no-input)
say "installing the pinned requirements ($REQUIREMENTS, $(grep -c == "requirements/$REQUIREMENTS.txt") packages, hashes checked)"
"${pip[@]}" install -q --require-hashes -r "requirements/$REQUIREMENTS.txt" ||
    fail "the requirements could not be installed (pip's message is above)." \
        "A hash that does not match means a file was changed after it was pinned: do not work around it." \
        "Otherwise check the network and call this again."
say "installing holdfast itself (editable)"
"${pip[@]}" install -q --no-deps --no-build-isolation -e . ||
    fail "holdfast itself could not be installed (pip's message is above)."

stamp_of run >"$VENV/.stamp-run" # dev.txt contains run.txt, so that either serves to run
if [ "$REQUIREMENTS" = dev ]; then stamp_of dev >"$VENV/.stamp-dev"; fi
say "ready ($MODE)"
