#!/usr/bin/env bash
# Runs the checkout on a release of Debian, as trixie or testing, in a chroot that has nothing installed at first.
# As root: tests/debian.sh SUITE [PYTEST ARGS]       ./install.sh --test; the chroot is kept for the next run
#          tests/debian.sh SUITE --prepare           makes that chroot, installs what the tests need, and stops
#          tests/debian.sh SUITE --newcomer [--rvc]  ./install.sh [--rvc] twice, and the demo, in a chroot made for it
# The chroots are in $RWC_PW_CHROOTS or ~/.cache/rwc-pw. All mounts and processes live in namespaces of their own: they
# end with this script, however it ends.
set -euo pipefail

readonly suite=${1:?Which release? See the head of tests/debian.sh.}

checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly checkout
chroot=$(realpath -m -- "${RWC_PW_CHROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/rwc-pw}")/$suite
readonly home=/home/newcomer
readonly certificates=/etc/ssl/certs/ca-certificates.crt

in_namespaces() { # FUNCTION ARGS...: run a function of this script, on this chroot
    # a shell's background command ignores Ctrl-C, and so would every program under test
    env --default-signal=INT,QUIT unshare --mount --pid --fork --kill-child -- \
        "$checkout/tests/debian.sh" "$suite" --in-namespaces "$chroot" "$@" &
    namespaces=$!
    trap 'kill -KILL "$namespaces" 2>/dev/null || true' EXIT # unshare itself waits through every other signal
    trap 'exit 143' TERM
    trap 'exit 130' INT
    wait "$namespaces"
}

make_chroot() { # FOLDER
    mkdir -p -- "$1"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$1" >"$1.log" ||
        { tail -n 20 "$1.log" >&2 && return 1; }
}

install_debootstrap() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends debootstrap >/dev/null 2>&1 && return
    apt-get update >/dev/null || true # a stranger's broken repository need not matter
    apt-get install -y --no-install-recommends debootstrap >/dev/null
}

ensure_chroot() {
    [[ -d $chroot ]] && return
    command -v debootstrap >/dev/null || install_debootstrap
    rm -rf --one-file-system -- "$chroot.part" # of a run that was cut short
    in_namespaces make_chroot "$chroot.part"
    mv -- "$chroot.part" "$chroot"
}

bind() { # SOURCE: the host's file or folder at the same place in the chroot, read-only
    if [[ -d $1 ]]; then
        mkdir -p -- "$chroot$1"
    else
        mkdir -p -- "$(dirname -- "$chroot$1")"
        touch -- "$chroot$1"
    fi
    mount -o bind,ro -- "$1" "$chroot$1"
}

# What pip's configuration names on this machine: files, folders of wheels, and indexes, whose pages link beside them.
local_paths_of_pip() { # CONFIGURATION...
    local word
    { cat /dev/null "$@" && env | sed -n 's/^PIP_[A-Z_]*=//p'; } | grep -oE '(file://)?/[^[:space:]]+' | while read -r word; do
        [[ $word == file:///*/*/* ]] && word=$(dirname -- "$word")
        word=${word#file://}
        if [[ -e $word ]]; then printf '%s\n' "$word"; fi
    done | sort -u
}

give_pip_its_configuration() {
    local user=${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf configurations=() path
    [[ -f /etc/pip.conf ]] && configurations+=(/etc/pip.conf) && cp -- /etc/pip.conf "$chroot/etc/"
    if [[ -f $user ]]; then
        configurations+=("$user")
        mkdir -p -- "$chroot$home/.config/pip"
        cp -- "$user" "$chroot$home/.config/pip/"
    fi
    while read -r path; do
        [[ $path == "$certificates" ]] || bind "$path"
    done < <(local_paths_of_pip "${configurations[@]}")
}

list_files() { git -c safe.directory='*' ls-files -z "$@" | sort -zu; }

copy_checkout() { # FOLDER: what git would commit, as it is now
    mkdir -p -- "$1"
    comm -z23 <(list_files --cached --others --exclude-standard) <(list_files --deleted) |
        tar --create --null --files-from=- | tar --extract --directory "$1"
}

empty_home() { # except for what was installed for an earlier run of the tests
    local venv=$chroot$home/rwc-pw/.cache/test-venv
    [[ -d $chroot$home ]] || return 0
    find "$chroot$home" -xdev -depth -mindepth 1 -not -path "$venv" -not -path "$venv/*" -not -path "${venv%/*}" \
        -not -path "${venv%/*/*}" -delete
}

inside() { # COMMAND..., in the checkout
    local speech=${RWC_PW_SPEECH:-$checkout/../shared/speech} name variables=()
    mount --rbind /dev "$chroot/dev"
    mount -t proc proc "$chroot/proc"
    mount -t tmpfs tmpfs "$chroot/tmp"
    mount -t tmpfs tmpfs "$chroot/run"
    empty_home
    copy_checkout "$chroot$home/rwc-pw"
    cp -L -- /etc/resolv.conf "$chroot/etc/resolv.conf"
    [[ ! -f $certificates ]] || cp -L -- "$certificates" "$chroot$certificates"
    give_pip_its_configuration
    if [[ -d $speech ]]; then
        mkdir -p -- "$chroot$home/speech"
        mount -o bind,ro -- "$speech" "$chroot$home/speech"
        variables+=("RWC_PW_SPEECH=$home/speech")
    fi
    for name in CI TERM RWC_PW_REQUIRE_SERVERS RWC_PW_REQUIRE_RVC http_proxy https_proxy no_proxy SSL_CERT_FILE "${!PIP_@}"; do
        [[ -z ${!name:-} ]] || variables+=("$name=${!name}")
    done
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" LANG=C.UTF-8 "${variables[@]}" \
        chroot "$chroot" env --chdir="$home/rwc-pw" "$@" </dev/null
}

# What README tells a newcomer, each command with its time; the second installation is an upgrade.
be_newcomer() { # [--rvc]
    set -x
    time ./install.sh "$@"
    time ./install.sh "$@"
    du -sh ~/.local/share/rwc-pw
    export PATH=$HOME/.local/bin:$PATH
    time rwc-pw demo
    [[ ${1-} == --rvc ]] || return 0
    ~/.local/share/rwc-pw/venv/bin/python -m tests.rvc.checkable ~/checkable
    mkdir -p ~/.config/rwc-pw
    echo "rvc_models = \"$HOME/checkable\"" >~/.config/rwc-pw/config.toml
    time rwc-pw voices add ~/checkable/rvc/voice_models/Checkable
    time rwc-pw demo --voice Checkable
}

if [[ ${2:-} == --in-namespaces ]]; then
    chroot=$3
    "${@:4}"
    exit
elif [[ ${2:-} == --inside ]]; then
    "${@:3}"
    exit
fi
((EUID == 0)) || { echo "A chroot needs root: run sudo tests/debian.sh $suite." >&2 && exit 69; }
cd -- "$checkout"
[[ ${2:-} != --newcomer ]] || chroot+=-newcomer
mkdir -p -- "$(dirname -- "$chroot")"
exec {lock}>"$chroot.lock"
flock "$lock" # two runs at once would share one chroot
case ${2:-} in
    --prepare)
        ensure_chroot
        in_namespaces inside ./install.sh --test --version # pytest's, which runs nothing
        ;;
    --newcomer)
        rm -rf --one-file-system -- "$chroot"
        ensure_chroot
        in_namespaces inside tests/debian.sh "$suite" --inside be_newcomer "${@:3}"
        ;;
    *)
        ensure_chroot
        in_namespaces inside ./install.sh --test "${@:2}"
        ;;
esac
