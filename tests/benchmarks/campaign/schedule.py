"""What a seed does: faults drawn at random, and how long each lasts."""

from dataclasses import dataclass
from random import Random

FAULTS_PER_SEED = 5
LONGEST_S = 1.5
AT_ONCE = 0.3  # the share of faults that do not wait until sound flows again after the one before

OURS = ("daemon", "recorder", "player")
SERVERS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")
MICROPHONES = ("headless_microphone", "usb")
SHARP = ("giant --pitch -5", "giant --pitch -7 --formant 1", "deeper --pitch -8", "deeper --pitch -10 --formant -2")
"""Voices that leave nothing where the real voice's marker is."""

WHAT: dict[str, tuple[str, ...]] = {
    "kill": OURS,
    "stop": OURS,
    "crash": SERVERS,
    "end": SERVERS,
    "unplug": MICROPHONES,
    "default source": MICROPHONES,  # not RWC Voice: when that is no longer the default, WirePlumber moves its apps
    "quantum": tuple(str(1 << power) for power in range(5, 14)),
    "apps": (),  # drawn
    "link": ("microphone", "player", "monitor"),
    "unlink": ("recorder", "player"),
    "destroy": ("rwc_voice", "recorder", "player"),
    "use": SHARP,
    "set": ("--gain 6", "--gain 0", "--gate -60", "--chunk-size 1024", "--chunk-size 0", "--input-device usb"),
    "bypass": ("on and off",),
    "mute": ("on and off",),
    "disable": ("and enable",),
    "real-time": ("SIGINT", "SIGHUP", "SIGTERM"),
}
"""Every kind of fault, and what it may befall."""


@dataclass(frozen=True)
class Fault:
    kind: str
    what: str
    lasts_s: float
    """Until it is undone, if that is for us to do."""
    at_once: bool
    """Whether it comes before sound flows again after the one before."""

    def __str__(self) -> str:
        return f"{'+ ' if self.at_once else ''}{self.kind} {self.what} ({self.lasts_s:g} s)"


def draw(seed: int) -> list[Fault]:
    """The same faults for the same seed."""
    random = Random(seed)
    return [_draw(random) for _ in range(FAULTS_PER_SEED)]


def _draw(random: Random) -> Fault:
    kind = random.choice(list(WHAT))
    what = random.choice(WHAT[kind]) if WHAT[kind] else _openings(random)
    return Fault(kind, what, round(random.uniform(0.05, LONGEST_S), 2), random.random() < AT_ONCE)


def _openings(random: Random) -> str:
    """Some openings: seconds since all apps have closed, and how many apps open then."""
    gaps_s = [random.choice((random.uniform(0, 1), random.uniform(4.8, 5.2), random.uniform(0, 6))) for _ in range(2)]
    return " ".join(f"{gap_s:.2f}x{random.choice((1, 1, 2, 4))}" for gap_s in gaps_s)
