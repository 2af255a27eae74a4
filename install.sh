#!/usr/bin/env bash
# Installs rwc-pw for the user who runs it; see ./install.sh --help.
set -euo pipefail

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_UNAVAILABLE=69 # as in rwc_pw/errors.py

# The required commands, and the packages that provide them. "python" is any that find_python accepts.
#                      command               apt                   dnf                                 pacman
readonly RUN_TABLE="   python                python3,python3-venv  python3                             python
                       pipewire              pipewire              pipewire                            pipewire
                       pipewire-pulse        pipewire-pulse        pipewire-pulseaudio,pulseaudio-libs pipewire-pulse
                       wireplumber           wireplumber           wireplumber                         wireplumber
                       pw-cat                pipewire-bin          pipewire-utils                      pipewire-audio
                       pw-cli                pipewire-bin          pipewire-utils                      pipewire
                       pw-dump               pipewire-bin          pipewire-utils                      pipewire
                       pw-link               pipewire-bin          pipewire-utils                      pipewire
                       dbus-daemon           dbus                  dbus-daemon                         dbus"
readonly RVC_TABLE="   ffmpeg                ffmpeg                ffmpeg-free                         ffmpeg
                       ffprobe               ffmpeg                ffmpeg-free                         ffmpeg"
readonly TEST_TABLE="  pactl                 pulseaudio-utils      pulseaudio-utils                    libpulse
                       chromium              chromium              chromium                            chromium
                       dbus-run-session      dbus                  dbus-daemon                         dbus
                       desktop-file-validate desktop-file-utils    desktop-file-utils                  desktop-file-utils"

# Which Pythons are suitable, as Python expressions.
readonly ANY_PYTHON="sys.version_info >= (3, 11)" RVC_PYTHON="(3, 12) <= sys.version_info < (3, 14)"

usage() {
    cat <<'END'
Usage: ./install.sh                        install or upgrade rwc-pw for you, and switch it on
       ./install.sh --rvc                  the same with what RVC voices need: 5 GB, Python 3.12 or 3.13
       ./install.sh --test [PYTEST ARGS]   run ruff, mypy and all tests, or those named, having installed what they need
       ./install.sh --lock                 renew requirements.lock: the newest versions that fit together
       ./install.sh --test-newest          run all tests on the newest versions, without changing requirements.lock
       ./install.sh --help

Missing system packages are installed with apt, dnf or pacman, as root or through sudo. The Python packages go into
~/.local/share/rwc-pw/venv (those of the tests into .cache/test-venv of this folder), the command into ~/.local/bin.
END
}

say() { printf 'install.sh: %s\n' "$*"; }

die() { # CODE SENTENCE REMEDY
    printf 'install.sh: %s\n%s\n' "$2" "$3" >&2
    exit "$1"
}

# --- system packages ---

# A suitable Python that can create virtual environments. Each candidate is run: pyenv leaves shims of removed versions.
find_python() { # FITTING
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[23].*/bin/python /usr/bin/python3; do
        if "$candidate" -I -c "import sys, venv, ensurepip; sys.exit(not ($1))" </dev/null &>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

have() {
    if [[ $1 == python ]]; then find_python "$ANY_PYTHON" >/dev/null; else command -v "$1" >/dev/null; fi
}

package_manager() {
    local name
    for name in apt-get dnf pacman; do
        if command -v "$name" >/dev/null; then echo "$name" && return; fi
    done
}

install_line() { # MANAGER PACKAGE...
    case $1 in
        dnf) echo "dnf install -y ${*:2}" ;;
        pacman) echo "pacman -S --needed --noconfirm ${*:2}" ;;
        *) echo "apt-get install -y --no-install-recommends ${*:2}" ;;
    esac
}

# The word that runs a command as root; fails if sudo would ask for a password and there is no terminal.
root_word() {
    if ((EUID == 0)); then
        echo env
    elif command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
        echo sudo
    else
        return 1
    fi
}

run_as_root() { # ROOT-WORD LINE
    local words
    read -ra words <<<"$2"
    [[ $2 != apt-get* ]] || words+=(-o DPkg::Lock::Timeout=60) # a machine that has just started is often updating itself
    "$1" env DEBIAN_FRONTEND=noninteractive "${words[@]}" >>"$log" 2>&1
}

install_packages() { # ROOT-WORD LINE
    say "running $2"
    run_as_root "$@" && return
    if [[ $2 == apt-get* ]]; then # a new machine has no package lists, an old one has outdated lists
        run_as_root "$1" "apt-get update" || true # another repository may be broken, which need not matter
        run_as_root "$@" && return
    fi
    tail -n 5 "$log" >&2
    return 1
}

# Install whatever in the table is missing; if that is not possible, print the command that does it, and fail.
ensure() { # TABLE
    local manager root line remedy name apt dnf pacman missing=() packages=()
    manager=$(package_manager)
    while read -r name apt dnf pacman; do
        have "$name" && continue
        missing+=("$name")
        case $manager in
            dnf) packages+=("$dnf") ;;
            pacman) packages+=("$pacman") ;;
            *) packages+=("$apt") ;;
        esac
    done <<<"$1"
    ((${#missing[@]})) || return 0

    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | tr , '\n' | sort -u)
    line=$(install_line "$manager" "${packages[@]}")
    remedy="Run this line as root, then $again again:"
    [[ -n $manager ]] || remedy="Install them as this line does on Debian, then run $again again:"
    if [[ -n $manager ]] && root=$(root_word); then
        install_packages "$root" "$line" && return
    fi
    printf 'Missing: %s.\n%s\n    %s\n' "${missing[*]}" "$remedy" "$line" >&2
    return 1
}

# --- Python packages ---

fits() { # PYTHON FITTING
    "$1" -I -c "import sys, pip; sys.exit(not ($2))" </dev/null &>/dev/null
}

no_python() { # FITTING
    [[ $1 != "$RVC_PYTHON" ]] ||
        die $EXIT_UNAVAILABLE "RVC voices need Python 3.12 or 3.13, and none that can make virtual environments is here." \
            "Install one (Debian 13: apt-get install python3-venv; anywhere: pyenv install 3.13), then run $again again."
    die $EXIT_UNAVAILABLE "There is no Python 3.11 or newer that can make virtual environments." \
        "Install one, then run $again again."
}

make_venv() { # FOLDER FITTING
    local python
    fits "$1/bin/python" "$2" && return
    python=$(find_python "$2") || no_python "$2"
    if [[ -e $1 && ! -e $1.old ]]; then mv -- "$1" "$1.old"; fi
    replaced=$1
    rm -rf -- "$1"
    mkdir -p -- "$(dirname -- "$1")"
    "$python" -I -m venv "$1" ||
        die $EXIT_UNAVAILABLE "Python could not make $1." "Its message is above; mend that, then run $again again."
}

# Restore the previous environment, which is deleted only once the new one is complete.
put_back_venv() {
    [[ -n $replaced && -e $replaced.old ]] || return 0
    rm -rf -- "$replaced"
    mv -- "$replaced.old" "$replaced"
}

no_packages() {
    die $EXIT_UNAVAILABLE "The Python packages could not be installed." \
        "A message is above; when the network or the disk is mended run $again again."
}

# What requirements.lock names of the requirements' dependencies, verified by its hashes; conversion never imports what
# pyproject.toml overrides. uv does it: pip can leave nothing out, and verifies no hash of a constraint. uv and its cache,
# beside the environment for hard links, are deleted on success, and reused after a failure.
install_locked() { # VENV LOCK REQUIREMENT...
    local quiet=()
    [[ -t 2 ]] || quiet=(--quiet)
    install_uv "$1"
    run_uv "$1" pip install "${quiet[@]}" --python "$1/bin/python" --project "$checkout" --constraints "$2" \
        --build-constraints "$2" --compile-bytecode --reinstall-package rwc-pw "${@:3}" || no_packages
    rm -rf -- "$1.uv"
}

install_uv() { # VENV
    mkdir -p -- "$1.uv"
    awk '/^[^ ]/ { of_uv = /^uv==/ } of_uv' "$checkout/requirements.lock" >"$1.uv/requirements.txt"
    "$1/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --upgrade \
        --target "$1.uv" --requirement "$1.uv/requirements.txt" </dev/null || no_packages
}

# uv with pip's configuration, which uv does not read itself; uv's own variables take precedence.
run_uv() { # VENV ARGS...
    "$1/bin/python" -I - "$1.uv/bin/uv" "${@:2}" --cache-dir "$1.uv/cache" <<'END'
import ast
import os
import subprocess
import sys

names = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
}
pip = [sys.executable, "-I", "-m", "pip", "config", "list"]
lines = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.splitlines()
found, flags = {}, {}
for section in ("global.", "install.", ":env:."):  # in pip's order of precedence
    for line in lines:
        key, _, value = line.partition("=")
        if key.startswith(section) and (name := names.get(key.removeprefix(section))):
            found[name] = ast.literal_eval(value).split()
        if key == f"{section}no-index":
            flags["--no-index"] = ast.literal_eval(value).lower() in ("1", "on", "true", "yes")
os.environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does
for name, words in found.items():
    os.environ.setdefault(name, ("," if name == "UV_FIND_LINKS" else " ").join(words))
os.execv(sys.argv[1], [*sys.argv[1:], *(flag for flag, is_set in flags.items() if is_set)])
END
}

# --- tasks ---

has_rvc() { # VENV, whose Python may be gone
    compgen -G "$1/lib/python3.*/site-packages/ultimate_rvc" >/dev/null
}

# What is installed already is not looked at while it is installed: an interrupted upgrade or a deleted file stays.
check_rvc() { # VENV
    rvc_works "$1" && return
    say "what RVC voices need is damaged, and is installed anew"
    install_locked "$1" "$checkout/requirements.lock" "$checkout[rvc]" --reinstall
    rvc_works "$1" || die $EXIT_FAILED "What RVC voices need was installed, but does not work." "Run rwc-pw --debug doctor."
}

rvc_works() { # VENV
    "$1/bin/python" -I -c 'from rwc_pw.system.extra import check_extra; check_extra()' </dev/null &>/dev/null
}

# Otherwise the daemon of the previous version would go on until the next login.
stop_daemon() { # VENV
    "$1/bin/python" -I -c 'from rwc_pw.cli.microphone import stop_daemon; stop_daemon()' </dev/null 2>/dev/null ||
        say "RWC Voice of the previous version may still run; to end it, log out and in again."
}

session_runs() { # PYTHON
    local socket=${PIPEWIRE_REMOTE:-pipewire-0}
    [[ $socket == /* ]] || socket=${PIPEWIRE_RUNTIME_DIR:-${XDG_RUNTIME_DIR:-/nonexistent}}/$socket
    "$1" -I -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$socket" 2>/dev/null
}

link_command() { # PROGRAM
    local link=$HOME/.local/bin/rwc-pw
    if [[ -e $link && ! -L $link ]]; then
        die $EXIT_FAILED "$link is there already and not from here." "Move it away, then run $again again."
    fi
    mkdir -p -- "${link%/*}"
    ln -sfn -- "$1" "$link"
    [[ :$PATH: == *:"${link%/*}":* ]] || say "${link%/*} is not on your PATH: call $link, or log in again if your shell adds it."
}

install_rwc_pw() { # [--rvc]
    local data=${XDG_DATA_HOME:-} venv
    [[ $data == /* ]] || data=$HOME/.local/share # the XDG specification: a relative value is ignored
    venv=$data/rwc-pw/venv
    ((EUID)) || [[ -z ${SUDO_USER:-} ]] || say "installing for root; for $SUDO_USER run $again without sudo."
    [[ ${1-} != --rvc ]] && has_rvc "$venv" && set -- --rvc # an upgrade keeps it
    if [[ ${1-} == --rvc ]]; then
        # if there is no Python at all, the one from the system's packages may be suitable
        fits "$venv/bin/python" "$RVC_PYTHON" || find_python "$RVC_PYTHON" >/dev/null ||
            ! find_python "$ANY_PYTHON" >/dev/null || no_python "$RVC_PYTHON"
        ensure "$RUN_TABLE"$'\n'"$RVC_TABLE" || exit $EXIT_UNAVAILABLE
        make_venv "$venv" "$RVC_PYTHON"
    else
        ensure "$RUN_TABLE" || exit $EXIT_UNAVAILABLE
        make_venv "$venv" "$ANY_PYTHON"
    fi
    say "installing rwc-pw into $venv"
    install_locked "$venv" "$checkout/requirements.lock" "$checkout${1:+[rvc]}"
    [[ ${1-} != --rvc ]] || check_rvc "$venv"
    rm -rf -- "$venv.old"
    link_command "$venv/bin/rwc-pw"
    if session_runs "$venv/bin/python"; then
        stop_daemon "$venv"
        "$venv/bin/rwc-pw" enable
    else
        say "no PipeWire session runs here, so there is nothing to switch on; when one does, run: rwc-pw enable"
        say "the demo shows the voice on a private PipeWire instead."
        "$venv/bin/rwc-pw" demo
    fi
    [[ ${1-} != --rvc ]] || say "for RVC voices run: rwc-pw setup"
}

run_tests() { # PYTEST ARGS...
    test_with "$checkout/requirements.lock" "$checkout/.cache/test-venv" "$@"
}

# The tests on the newest release of everything, in an environment of their own.
run_tests_on_newest() { # PYTEST ARGS...
    local folder=$checkout/.cache/newest
    mkdir -p -- "$folder"
    write_lock "$folder/requirements.lock"
    test_with "$folder/requirements.lock" "$folder/venv" "$@"
}

test_with() { # LOCK VENV PYTEST ARGS...
    local venv=$2 requirement=$checkout
    cd -- "$checkout"
    ensure "$RUN_TABLE"$'\n'"$RVC_TABLE"$'\n'"$TEST_TABLE" || say "going on with the tests that can run without them."
    make_venv "$venv" "$ANY_PYTHON"
    fits "$venv/bin/python" "$RVC_PYTHON" && requirement=$checkout[rvc]
    install_locked "$venv" "$1" "$requirement" --group "$checkout/pyproject.toml:test"
    rm -rf -- "$venv.old"
    export PATH=$venv/bin:$PATH
    if (($# == 2)); then
        ruff check
        ruff format --check
        mypy --strict
    fi
    RWC_PW_LOCK=$1 pytest "${@:3}"
}

renew_lock() { write_lock "$checkout/requirements.lock"; }

# The newest versions that fit together, of everything that any Python we support needs.
write_lock() { # FILE
    local venv=$checkout/.cache/lock-venv
    make_venv "$venv" "$ANY_PYTHON"
    install_uv "$venv"
    # without the folders and second indexes of pip's configuration: they need not have each platform's files
    UV_INDEX="" UV_FIND_LINKS="" run_uv "$venv" pip compile --quiet --project "$checkout" --universal --python-version 3.11 --upgrade --generate-hashes \
        --all-extras --group "$checkout/pyproject.toml:test" --group "$checkout/pyproject.toml:install" \
        --no-header --no-annotate --output-file "$1" "$checkout/pyproject.toml" || no_packages
    rm -rf -- "$venv" "$venv.uv"
}

unset PYTHONPATH PYTHONHOME # what Python starts has no -I, with which each Python here runs no venv.py of the current folder
readonly again="./install.sh${1:+ $1}"
checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
[[ ${HOME:-} == /* ]] || die $EXIT_UNAVAILABLE "HOME does not name a folder." "Set it to your home folder's absolute path."
case "$# ${1-}" in
    "0 " | "1 --rvc") task=install_rwc_pw ;;
    *[0-9]" --test") task=run_tests && shift ;;
    *[0-9]" --test-newest") task=run_tests_on_newest && shift ;;
    "1 --lock") task=renew_lock && shift ;;
    "1 -h" | "1 --help") usage && exit ;;
    *) die $EXIT_USAGE "\"$*\" is not understood." "Run ./install.sh --help for what is." ;;
esac

replaced="" log=$(mktemp)
trap 'rm -f -- "$log"; put_back_venv' EXIT
$task "$@"
