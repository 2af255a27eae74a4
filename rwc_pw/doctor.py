"""Checks everything that RWC Voice depends on, and gives a remedy for each failure."""

import asyncio
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rwc_pw.config import Config, assets_dir_of, config_of
from rwc_pw.control.client import Client
from rwc_pw.errors import RwcPwError
from rwc_pw.pipewire.devices import default_source
from rwc_pw.pipewire.graph import Graph, Node
from rwc_pw.pipewire.inputs import choose_microphone
from rwc_pw.pipewire.pw_cat import installed_pw_cat
from rwc_pw.pipewire.source import read_graph
from rwc_pw.pipewire.volumes import silence_in, turned_down
from rwc_pw.pipewire.wiring import microphone_fault, session_manager_fault
from rwc_pw.rvc import gpu
from rwc_pw.rvc.assets import missing
from rwc_pw.rvc.proof import Proof, prove
from rwc_pw.status import State, enumeration
from rwc_pw.system.extra import check_extra
from rwc_pw.system.paths import Paths
from rwc_pw.system.priority import may_raise_priority

TOOLS = ("pw-cat", "pw-link", "pw-dump", "pw-cli", "stdbuf", "setpriv")

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """Result of one check, and what to do about it."""

    name: str
    verdict: Verdict
    finding: str
    remedy: str = ""


async def examine(paths: Paths) -> list[Check]:
    """Every check, in the order in which to fix failures."""
    config, configuration = _check_configuration(paths)
    default, pulse = _check_pulse()
    return [
        configuration,
        _check_tools(),
        await _check_pw_cat(),
        _check_priority(),
        *await _check_graph(config.input_device, default),
        pulse,
        _check_registration(paths),
        await _check_daemon(),
        *await asyncio.to_thread(_check_rvc, assets_dir_of(config, paths)),
    ]


def _failed(name: str, error: RwcPwError) -> Check:
    return Check(name, "fail", error.message, error.remedy)


def _check_configuration(paths: Paths) -> tuple[Config, Check]:
    """The configuration, or the defaults if it cannot be used."""
    try:
        config = config_of(paths)
    except RwcPwError as error:
        return Config(), _failed("configuration", error)
    return config, Check("configuration", "ok", f"the voice is {config.voice}")


def _check_tools() -> Check:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        remedy = "Run `./install.sh`; stdbuf is in coreutils, setpriv in util-linux."
        return Check("tools", "fail", f"missing: {', '.join(missing)}", remedy)
    return Check("tools", "ok", ", ".join(TOOLS))


async def _check_pw_cat() -> Check:
    try:
        pw_cat = await installed_pw_cat()
    except RwcPwError as error:
        return _failed("pw-cat", error)
    return Check("pw-cat", "ok", pw_cat.version)


def _check_priority() -> Check:
    if may_raise_priority():
        return Check("real-time priority", "ok", "allowed")
    return Check(
        "real-time priority",
        "warn",
        "not allowed: sound may stutter while the machine is busy",
        "Join the group that has it, log in again: `sudo usermod -aG pipewire $USER` (Arch: realtime).",
    )


async def _check_graph(input_device: str, default: str) -> list[Check]:
    try:
        graph = await read_graph()
    except RwcPwError as error:
        return [_failed("PipeWire", error)]
    return [
        Check("PipeWire", "ok", f"running, {len(graph.nodes)} nodes"),
        _check_session_manager(graph),
        _check_microphone(graph, input_device, default),
        _check_voice_node(graph),
        _check_volumes(graph, choose_microphone(graph, input_device, (default,))),
    ]


def _check_session_manager(graph: Graph) -> Check:
    if fault := session_manager_fault(graph):
        return Check("session manager", "fail", fault.reason, fault.remedy)
    return Check("session manager", "ok", "running")


def _check_microphone(graph: Graph, input_device: str, default: str) -> Check:
    microphone = choose_microphone(graph, input_device, (default,))
    if fault := microphone_fault(graph, microphone, input_device):
        return Check("microphone", "warn", f"{fault.reason}, so RWC Voice is silent", fault.remedy)
    return Check("microphone", "ok", microphone.label if microphone else "")


def _check_volumes(graph: Graph, microphone: Node | None) -> Check:
    silence = silence_in(graph, microphone)
    found = [silence] if silence else turned_down(graph, microphone)
    if not found:
        return Check("volumes", "ok", "nothing is turned down")
    return Check("volumes", "warn", enumeration([fault.reason for fault in found]), found[0].remedy)


def _check_voice_node(graph: Graph) -> Check:
    found = len(graph.voice_nodes())
    if found == 1:
        return Check("RWC Voice", "ok", "PipeWire has it")
    if found:
        return Check("RWC Voice", "fail", f"it exists {found} times", "Run `rwc-pw disable`, then `rwc-pw enable`.")
    return Check("RWC Voice", "warn", "it does not exist", "Run `rwc-pw enable`.")


def _check_pulse() -> tuple[str, Check]:
    """The default source's name, if known."""
    try:
        name = default_source()
    except RwcPwError as error:
        return "", _failed("pipewire-pulse", error)
    return name, Check("pipewire-pulse", "ok", "running: browsers and most apps come through it")


def _check_rvc(assets_dir: Path) -> list[Check]:
    """Check what RVC voices depend on, if installed: the extra, and what `rwc-pw setup` fetches."""
    if find_spec("ultimate_rvc") is None:
        return [Check("RVC voices", "ok", "not installed; `./install.sh --rvc` adds them")]
    try:
        check_extra()
        if absent := missing(assets_dir):
            names = ", ".join(asset.name for asset in absent)
            return [Check("RVC voices", "warn", f"missing: {names}", "Run `rwc-pw setup`.")]
        proofs = prove(assets_dir)
    except RwcPwError as error:
        return [_failed("RVC voices", error)]
    where = "the GPU" if gpu.device() else "the CPU: no NVIDIA GPU can be used"
    return [*map(_proof_check, proofs), Check("RVC voices", "ok", f"computed on {where}")]


def _proof_check(proof: Proof) -> Check:
    if proof.passed:
        return Check(proof.what, "ok", proof.measured)
    remedy = "Remove the file that it comes from, then run `rwc-pw setup`."
    return Check(proof.what, "fail", f"{proof.measured}; {proof.needed} is needed", remedy)


def _check_registration(paths: Paths) -> Check:
    missing = [path for path in (paths.drop_in, paths.autostart_entry, paths.bus_service) if not path.is_file()]
    if missing:
        return Check("registration", "warn", f"missing: {', '.join(map(str, missing))}", "Run `rwc-pw enable`.")
    return Check("registration", "ok", "RWC Voice comes back at every login")


async def _check_daemon() -> Check:
    try:
        async with Client() as client:
            status = await client.status()
    except RwcPwError as error:
        return _failed("daemon", error)
    if status.state is State.OFF:
        return Check("daemon", "warn", "it does not run", "Run `rwc-pw enable`.")
    if status.reason:
        return Check(
            "daemon", "warn", f"{status.state}: {status.reason}", status.remedy or "Mend what is not ok above."
        )
    return Check("daemon", "ok", str(status.state))
