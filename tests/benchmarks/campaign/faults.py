"""A private session in which somebody speaks and somebody listens, and the faults that befall it."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from rwc_pw.errors import RwcPwError
from rwc_pw.headless.session import HeadlessPipeWire
from rwc_pw.pipewire.graph import Graph
from tests.benchmarks.campaign.listening import App, Told
from tests.benchmarks.campaign.real_voice import real_voice
from tests.benchmarks.campaign.schedule import MICROPHONES, Fault
from tests.benchmarks.campaign.speaking import Speaker
from tests.benchmarks.campaign.verdict import Done, Heard, Interval, Record
from tests.servers.program import Program
from tests.servers.session import Session, ours, processes

SPEECH_S = 120.0
FLOWING_S = 0.5
GIVE_UP_S = 10.0
LOOK_S = 0.05
SLACK_S = 0.5  # until an app has what was said before
MOVED_BACK_S = 2.0
QUANTUM_CONF = "context.properties = { default.clock.max-quantum = 8192 }\n"
FORGOTTEN_S = 2.0
DEVICE_OWNERS = ("pipewire", "wireplumber")
"""Servers with which, in a real session too, the microphones are made again."""
WORDS = {"daemon": "rwc_pw daemon", "recorder": "rwc_pw.capture", "player": "rwc_pw.playback"}
"""What is in the command lines of our processes, and in the names of our nodes."""


class World:
    """RWC Voice is on, two microphones hear the real voice, and an app records, which opens again when it is ended."""

    def __init__(self, headless: Session) -> None:
        self.headless = headless
        self.program = Program(headless)
        self.apps: list[App] = []
        self.done: list[Done] = []
        self.unspoken: list[Interval] = []
        """When nobody could be heard by a microphone."""
        self.let_through: list[Interval] = []
        """When the real voice was asked for, or put through by somebody else."""
        self.complaints: list[str] = []
        """What our program said that it should never say, with what was asked of it."""
        self.lost = ""
        """Why the session itself could not be restored after a fault."""
        self._speakers = ExitStack()
        self._speaking: list[Speaker] = []
        self._hushed_s = 0.0
        self._app: App | None = None

    def begin(self) -> None:
        self.headless.add_microphone(MICROPHONES[1])
        self.rwc("use", "giant", "--pitch", "-5")
        self.rwc("enable")
        self.speak()
        self.told = Told(self.program)
        self.listen()
        self.is_heard()

    def end(self) -> None:
        self.told.end()
        self.close_apps()
        self._speakers.close()
        self.rwc("disable")

    def rwc(self, *arguments: str) -> None:
        done = self.program.run(*arguments)
        if "Traceback" in done.stderr or "unforeseen" in done.stderr:
            self.complaints.append(f"rwc-pw {shlex.join(arguments)}: {done.stderr.strip()}")

    def speak(self) -> None:
        """Speak into the microphones from now on."""
        self.hush()
        speakers = [Speaker(self.headless, SPEECH, into=f"{microphone}:input_MONO") for microphone in MICROPHONES]
        self._speaking = [self._speakers.enter_context(speaker) for speaker in speakers]
        spoken_s = time.monotonic()
        for speaker in speakers:
            speaker.spoken_s = spoken_s
        self.unspoken.append((self._hushed_s, spoken_s))
        self._hushed_s = 0.0

    def hush(self) -> None:
        """Speak no more: a WirePlumber 0.4 that starts while something plays or records waits for it in vain."""
        self._hushed_s = self._hushed_s or time.monotonic()
        self._speakers.close()

    def _speak_on(self) -> None:
        """Speak again if a speaker has stopped by itself."""
        stopped = [speaker for speaker in self._speaking if speaker.has_stopped()]
        if stopped:
            self._hushed_s = self._hushed_s or min(speaker.spoken_s for speaker in stopped)
            self.speak()

    def listen(self) -> App:
        """One more app."""
        self.headless.wait_for(lambda graph: graph.port("rwc_voice:capture_MONO"))  # else it is given a microphone
        self._app = App(self.headless)
        self.apps.append(self._app)
        return self._app

    def _listening(self) -> App:
        """The newest app, opened again if its server has ended it."""
        return self.listen() if self._app is None or self._app.closed_s else self._app

    def close_apps(self) -> None:
        for app in self.apps:
            app.close()
        self._app = None

    def is_heard(self) -> bool:
        """Wait until the app has heard a voice for a while from now on, and whether it does within ``GIVE_UP_S``."""
        begin_s = time.monotonic()
        while time.monotonic() < begin_s + GIVE_UP_S:
            time.sleep(LOOK_S)
            self._speak_on()
            app = self._listening()
            if time.monotonic() > begin_s + FLOWING_S and app.hears_voice_for(FLOWING_S):
                return True
        return False

    def befall(self, fault: Fault) -> None:
        self._listening()
        begin_s = time.monotonic()
        FAULTS[fault.kind](self, fault)
        if not any(line.startswith("pipewire ") for _, line in processes(self.headless.root)):
            _restart(self, "pipewire")  # 0.3.65 may die of a quantum of 8192
        self.done.append(Done(fault, begin_s, time.monotonic()))

    def record(self) -> Record:
        """What was noted, once it has ended."""
        apps = [Heard(app.opened_s, app.closed_s or app.opened_s, app.sound(), app.arrivals) for app in self.apps]
        return Record(apps, self.told.statuses, self.done, self.unspoken, self.let_through)

    def graph(self) -> Graph:
        return self.headless.wait_for(lambda graph: graph)

    @contextmanager
    def letting_through(self, seconds: float) -> Iterator[None]:
        """Whatever happens in here, and so long after it, may let the real voice through."""
        begin_s = time.monotonic()
        yield
        self.let_through.append((begin_s, time.monotonic() + seconds))


SPEECH = real_voice(SPEECH_S)


def _kill(world: World, fault: Fault) -> None:
    _signal(world, fault.what, signal.SIGKILL)
    if fault.what == "daemon":
        time.sleep(fault.lasts_s)
        world.rwc("enable")


def _stop(world: World, fault: Fault) -> None:
    _signal(world, fault.what, signal.SIGSTOP)
    time.sleep(fault.lasts_s)
    _signal(world, fault.what, signal.SIGCONT)


def _signal(world: World, who: str, number: int) -> None:
    for pid in ours(world.headless, WORDS[who]):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _crash(world: World, fault: Fault) -> None:
    _end(world, fault, signal.SIGKILL)


def _end(world: World, fault: Fault, number: int = signal.SIGTERM) -> None:
    if fault.what in DEVICE_OWNERS:
        world.hush()
    since_s = time.monotonic()
    for pid, line in processes(world.headless.root):
        if line.split()[0] == fault.what:
            os.kill(pid, number)
    time.sleep(fault.lasts_s)
    if fault.what == "wireplumber":
        # back at once while an app records, 0.4 serves nobody any more, without us, too
        world.told.wait_until_unwell(since_s, FORGOTTEN_S)
    _restart(world, fault.what)


def _restart(world: World, server: str) -> None:
    if server not in DEVICE_OWNERS:
        world.headless.restart(server)
        return
    world.hush()
    choose_microphone(world.headless)
    if server == "wireplumber":
        world.headless.remove_node(MICROPHONES[1])
    world.headless.restart(server)
    world.headless.add_microphone(MICROPHONES[1])
    world.speak()


def choose_microphone(headless: HeadlessPipeWire) -> None:
    """Let WirePlumber start with the first microphone as the user's choice: saving a choice takes it a second."""
    saved = Path(headless.environment["XDG_STATE_HOME"], "wireplumber", "default-nodes")
    saved.parent.mkdir(parents=True, exist_ok=True)
    saved.write_text(f"[default-nodes]\ndefault.configured.audio.source={MICROPHONES[0]}\n")


def _unplug(world: World, fault: Fault) -> None:
    world.headless.remove_node(fault.what)
    time.sleep(fault.lasts_s)
    world.headless.add_microphone(fault.what)
    world.speak()


def _choose_default(world: World, fault: Fault) -> None:
    world.headless.run("pactl", "set-default-source", fault.what)
    time.sleep(fault.lasts_s)
    world.headless.set_default_source(MICROPHONES[0])


def _force_quantum(world: World, fault: Fault) -> None:
    with suppress(RwcPwError):  # PipeWire may have died
        for quantum in (fault.what, "0"):
            world.headless.run("pw-metadata", "-n", "settings", "0", "clock.force-quantum", quantum)
            time.sleep(fault.lasts_s)


def _open_apps(world: World, fault: Fault) -> None:
    for opening in fault.what.split():
        gap_s, count = opening.split("x")
        world.close_apps()
        time.sleep(float(gap_s))
        for _ in range(int(count)):
            world.listen()
        world.is_heard()


def _link(world: World, fault: Fault) -> None:
    player, monitor = (
        next((port for port in world.headless.run("pw-link", "-o").split() if port.startswith(name)), "")
        for name in ("rwc_pw.playback", "rwc_pw.capture")
    )
    ends = {
        "microphone": ("headless_microphone:capture_MONO", "rwc_voice:input_MONO"),
        "monitor": (monitor, "rwc_voice:input_MONO"),
        "player": (player, "headless_speakers:playback_FL"),
    }[fault.what]
    with world.letting_through(SLACK_S), suppress(RwcPwError):  # it need not be there
        world.headless.run("pw-link", *ends)


def _unlink(world: World, fault: Fault) -> None:
    graph = world.graph()
    node_ids = _node_ids(graph, WORDS[fault.what])
    for link in graph.links:
        if node_ids & {link.output_node_id, link.input_node_id}:
            with suppress(RwcPwError):
                world.headless.run("pw-link", "-d", str(link.output_port_id), str(link.input_port_id))


def _destroy(world: World, fault: Fault) -> None:
    # who listens to RWC Voice is given the microphone meanwhile
    with world.letting_through(MOVED_BACK_S) if fault.what == "rwc_voice" else nullcontext():
        for id in _node_ids(world.graph(), WORDS.get(fault.what, fault.what)):
            world.headless.run("pw-cli", "destroy", str(id))


def _node_ids(graph: Graph, name: str) -> set[int]:
    return {node.id for node in graph.nodes.values() if node.name.startswith(name)}


def _use(world: World, fault: Fault) -> None:
    world.rwc("use", *fault.what.split())


def _set(world: World, fault: Fault) -> None:
    world.rwc("set", *fault.what.split())


def _bypass(world: World, fault: Fault) -> None:
    with world.letting_through(SLACK_S):
        world.rwc("bypass", "on")
        time.sleep(fault.lasts_s)
        world.rwc("bypass", "off")


def _mute(world: World, fault: Fault) -> None:
    world.rwc("mute", "on")
    time.sleep(fault.lasts_s)
    world.rwc("mute", "off")


def _disable(world: World, fault: Fault) -> None:
    world.rwc("disable")
    time.sleep(fault.lasts_s)
    world.rwc("enable")


def _run_in_terminal(world: World, fault: Fault) -> None:
    world.rwc("disable")
    argv = ["env", "--default-signal", *world.program.argv("real-time")]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(argv, env=world.program.environment, stdout=nothing, stderr=nothing) as terminal:
        world.headless.wait_for(lambda graph: graph.feeders() or terminal.poll() is not None)
        time.sleep(fault.lasts_s)
        terminal.send_signal(signal.Signals[fault.what])
        try:
            terminal.wait(GIVE_UP_S)
        except subprocess.TimeoutExpired:
            world.complaints.append(f"rwc-pw real-time did not end by {fault.what}")
            terminal.kill()
    world.rwc("enable")


FAULTS: dict[str, Callable[[World, Fault], None]] = {
    "kill": _kill,
    "stop": _stop,
    "crash": _crash,
    "end": _end,
    "unplug": _unplug,
    "default source": _choose_default,
    "quantum": _force_quantum,
    "apps": _open_apps,
    "link": _link,
    "unlink": _unlink,
    "destroy": _destroy,
    "use": _use,
    "set": _set,
    "bypass": _bypass,
    "mute": _mute,
    "disable": _disable,
    "real-time": _run_in_terminal,
}


@contextmanager
def new_world(root: Path) -> Iterator[World]:
    """For the length of a ``with``; its servers end after it, and nothing else is ended by us."""
    headless = Session(root)
    conf_d = Path(headless.environment["XDG_CONFIG_HOME"], "pipewire", "pipewire.conf.d")
    conf_d.mkdir(parents=True)
    (conf_d / "20-campaign.conf").write_text(QUANTUM_CONF)
    choose_microphone(headless)
    with headless:
        world = World(headless)
        world.begin()
        try:
            yield world
        finally:
            world.end()
