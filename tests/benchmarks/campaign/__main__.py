"""Faults at random, and whether the promises hold: ``python -m tests.benchmarks.campaign SEED…``, as 7 or 1-60.

Each seed befalls a private session of its own for about 20 s, while an app records from RWC Voice. First the matched
filter that looks for the real voice shows how sharp it is. The exit code is 1 if a promise was broken.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rwc_pw.errors import RwcPwError
from tests.benchmarks.campaign.faults import World, new_world
from tests.benchmarks.campaign.schedule import Fault, draw
from tests.benchmarks.campaign.sharpness import show_sharpness
from tests.benchmarks.campaign.verdict import Verdict
from tests.servers.session import traces

QUIET_S = 2.0
BUSY_S = 8.0
MOST_WAITING = 0.5  # of the time, on a quiet machine, some process waits for a core
END_S = 10.0
MOST_TRIES = 3


def main() -> None:
    show_sharpness()
    verdicts = [verdict for word in sys.argv[1:] for seed in seeds(word) for verdict in tries(seed)]
    cut_short = sum(bool(verdict.lost) for verdict in verdicts)
    faults = sum(len(verdict.done) for verdict in verdicts)
    broken = sum(bool(verdict.broken) for verdict in verdicts)
    silences_s = [spell.seconds for verdict in verdicts if not verdict.lost for spell in verdict.recoveries]
    print(
        f"{len(verdicts)} runs, {cut_short} of them cut short, {faults} faults, {broken} runs with a broken promise; "
        f"{len(silences_s)} silences, median {statistics.median(silences_s or [0]):.2f} s, "
        f"{sum(seconds > QUIET_S for seconds in silences_s)} over {QUIET_S:g} s"
    )
    sys.exit(any(verdict.broken for verdict in verdicts))


def seeds(word: str) -> range:
    """The seeds that ``7`` or ``1-60`` means."""
    first, _, last = word.partition("-")
    return range(int(first), int(last or first) + 1)


def tries(seed: int) -> Iterator[Verdict]:
    """Run a seed, and again where the session itself is lost: WirePlumber 0.4 may hang PipeWire 0.3.65 as it starts."""
    for _ in range(MOST_TRIES):
        verdict = run(seed)
        yield verdict
        if not verdict.lost:
            return


def run(seed: int) -> Verdict:
    """Show what a seed does, and what it breaks."""
    faults = draw(seed)
    waited_s, since_s = waiting_s(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pw-") as folder:
        root = Path(folder)
        with new_world(root) as world:
            befall(world, faults)
        left = remaining(root)
    busy = (waiting_s() - waited_s) / (time.monotonic() - since_s)
    verdict = Verdict(world.record(), world.lost)
    verdict.broken += [f"left: {trace}" for trace in left] + world.complaints
    verdict.judge(QUIET_S if busy < MOST_WAITING else BUSY_S)
    took_s = time.monotonic() - since_s
    print(f"seed {seed}: {', '.join(map(str, faults))}; {verdict}, left {len(left)}, {busy:.0%} busy, {took_s:.0f} s")
    if verdict.lost:
        print(f"    cut short: {verdict.lost}")
    for promise in verdict.broken:
        print(f"    broken: {promise}")
    sys.stdout.flush()
    return verdict


def befall(world: World, faults: list[Fault]) -> None:
    """Let faults befall it, each once a voice is heard again or at once, until none is."""
    try:
        for fault in faults:
            if not fault.at_once and not world.is_heard():
                return
            world.befall(fault)
        world.is_heard()
    except RwcPwError as error:  # not rwc-pw's: of the private session
        world.lost = str(error)


def remaining(root: Path) -> list[str]:
    """What is left of the session after a while."""
    deadline_s = time.monotonic() + END_S
    while (left := traces(root)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return left


def waiting_s() -> float:
    """For how long some process has waited for a core since the machine's start; 0 where that is not known."""
    path = Path("/proc/pressure/cpu")
    return int(path.read_text().split()[4].removeprefix("total=")) / 1e6 if path.exists() else 0.0


if __name__ == "__main__":
    main()
