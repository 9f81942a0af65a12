"""`make soak MINUTES=30`: random strikes for as long as one likes, everything checked after each few, a report.

    python -m tests.faults.soak --minutes 30 [--seed 7] [--report soak.md]

The exit code is 1 where something did not hold.
"""

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import Strike, all_strikes
from tests.faults.harness.trial import Trial, survive

# Strikes under one load, before all must be quiet.
STRIKES_AT_MOST = 4
# How long a server that is paused stays so: longer than leases, visibility and every socket's timeout.
PAUSE_S = 90.0


@dataclass
class Soak:
    """What came of all trials."""

    seed: int
    began_at: float = field(default_factory=time.time)
    trials: list[Trial] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Markdown, as it stands in docs/reliability.md."""
        strikes = Counter(strike.name for trial in self.trials for strike in trial.strikes)
        answers = sum((trial.statuses for trial in self.trials), Counter[int]())
        fell = sum((trial.fell for trial in self.trials), Counter[str]())
        figures = {
            "minutes": f"{(time.time() - self.began_at) / 60:.0f}",
            "seed": self.seed,
            "loads, each with 1 to 4 strikes": len(self.trials),
            "strikes": strikes.total(),
            "jobs accepted": sum(trial.jobs for trial in self.trials),
            "documents looked at one by one": sum(trial.documents for trial in self.trials),
            "requests to the provider": sum(trial.requests for trial in self.trials),
            "texts sent again (see below)": sum(trial.doubled for trial in self.trials),
            "longest recovery": f"{max((trial.recovery_s for trial in self.trials), default=0):.1f} s",
            "answers of the API": ", ".join(f"{status}: {n}" for status, n in sorted(answers.items())),
            "requests that the API broke off": sum(trial.unanswered for trial in self.trials),
            "processes that ended by themselves": ", ".join(f"{n} × {how}" for how, n in fell.items()) or "none",
            "violations": len(self.violations),
        }
        lines = ["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in figures.items())]
        lines += ["", "| strike | times |", "|---|---|", *(f"| {name} | {n} |" for name, n in strikes.most_common())]
        return "\n".join([*lines, *(f"\nViolation: {violation}" for violation in self.violations)]) + "\n"


def soak(fleet: Fleet, minutes: float, seed: int) -> Soak:
    """Strikes until the time is over; a trial that has begun is brought to its end."""
    result, choice = Soak(seed), random.Random(seed)
    strikes = all_strikes()
    while time.time() < result.began_at + 60 * minutes:
        drawn = draw(strikes, choice)
        number = choice.randrange(10**9)
        result.trials.append(Trial(drawn))
        try:
            survive(fleet, result.trials[-1], number)
            verdict = f"quiet after {result.trials[-1].recovery_s:.1f} s"
        except Exception as exc:  # one that fails must not hide what the others show
            result.violations.append(f"{', '.join(map(str, drawn))} (seed {number}): {exc}")
            verdict = traceback.format_exc()
        minute = (time.time() - result.began_at) / 60
        print(f"{minute:5.1f} min  {', '.join(map(str, drawn))}: {verdict}", flush=True)
    return result


def draw(strikes: list[Strike], choice: random.Random) -> list[Strike]:
    """The strikes of one load; what empties the cache comes alone, or nobody could say what may be paid again."""
    drawn = choice.sample(strikes, choice.randint(1, STRIKES_AT_MOST))
    alone = [strike for strike in drawn if strike.forgets]
    return alone[:1] or drawn


def main() -> int:
    """Reads the command line, soaks, writes the report; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--report", type=Path, default=Path("soak.md"))
    parser.add_argument("--pause-s", type=float, default=PAUSE_S)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with TemporaryDirectory(prefix="dbrag-soak-") as folder, Fleet.start(Path(folder), arguments.pause_s) as fleet:
        result = soak(fleet, arguments.minutes, arguments.seed)
    report = result.report()
    arguments.report.write_text(report)
    print(f"\n{report}\nwritten to {arguments.report}")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
