"""Faults at random, and whether the promises hold: ``python -m tests.benchmarks.campaign SEED…``, as 7 or 1-60.

Each seed befalls a private session of its own for about 20 s, while an app records from RWC Voice. First the matched
filter that looks for the real voice shows how sharp it is. The exit code is 1 if a promise was broken.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.campaign.faults import new_world
from tests.benchmarks.campaign.schedule import draw
from tests.benchmarks.campaign.sharpness import show_sharpness
from tests.benchmarks.campaign.verdict import Spell, Verdict
from tests.servers.session import traces

QUIET_S = 2.0
BUSY_S = 8.0
MOST_WAITING = 0.5  # of the time, on a quiet machine, some process waits for a core
END_S = 10.0


def main() -> None:
    show_sharpness()
    verdicts = [run(seed) for word in sys.argv[1:] for seed in seeds(word)]
    recoveries_s = [spell.seconds for verdict, _ in verdicts for spell in verdict.recoveries]
    late = sum(seconds > QUIET_S for seconds in recoveries_s)
    broken = sum(not held for _, held in verdicts)
    print(
        f"{len(verdicts)} seeds, {sum(len(verdict.done) for verdict, _ in verdicts)} faults, {broken} seeds with a "
        f"broken promise; {len(recoveries_s)} silences: median {statistics.median(recoveries_s or [0]):.2f} s, "
        f"{late} over {QUIET_S:g} s"
    )
    sys.exit(broken > 0)


def seeds(word: str) -> range:
    """The seeds that ``7`` or ``1-60`` means."""
    first, _, last = word.partition("-")
    return range(int(first), int(last or first) + 1)


def run(seed: int) -> tuple[Verdict, bool]:
    """Show what a seed does, and whether all promises hold."""
    waited_s, since_s = waiting_s(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pw-") as folder:
        root = Path(folder)
        with new_world(root) as world:
            for fault in draw(seed):
                if not fault.at_once and not world.is_heard():
                    break
                world.befall(fault)
            world.is_heard()
        left = remaining(root)
        verdict = Verdict(world.record())
    waiting = (waiting_s() - waited_s) / (time.monotonic() - since_s)
    longest_s = QUIET_S if waiting < MOST_WAITING else BUSY_S
    broken = [
        *(f"the real voice, for {spell.seconds * 1000:.0f} ms, {spell.when}" for spell in verdict.real_voice),
        *(f"silence for {spell.seconds:.2f} s, {spell.when}" for spell in over(verdict.recoveries, longest_s)),
        *(
            f"called well while silent for {spell.seconds:.2f} s, {spell.when}"
            for spell in over(verdict.lies, longest_s)
        ),
        *(f"left: {trace}" for trace in left),
        *world.complaints,
    ]
    print(
        f"seed {seed}: {', '.join(map(str, draw(seed)))}; silent ≤ {worst_s(verdict.recoveries):.2f} s, "
        f"told as well ≤ {worst_s(verdict.lies):.2f} s, real voice {len(verdict.real_voice)}, asked for "
        f"{verdict.let_through_s:.2f} s, left {len(left)}, {waiting:.0%} busy, {time.monotonic() - since_s:.0f} s"
    )
    for promise in broken:
        print(f"    broken: {promise}")
    sys.stdout.flush()
    return verdict, not broken


def over(spells: list[Spell], longest_s: float) -> list[Spell]:
    return [spell for spell in spells if spell.seconds > longest_s]


def worst_s(spells: list[Spell]) -> float:
    return max((spell.seconds for spell in spells), default=0.0)


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
