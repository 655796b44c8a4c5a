"""What was measured, and the limits that it is held against."""

import json
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """One client at one workload: raw figures of each run."""

    workload: str
    server: str
    client: str
    items: int  # how many it did
    unit: str  # of what
    rtt: float = 0  # milliseconds; 0 is loopback
    mbit: float = 0  # of the line; 0 is no cap
    seconds: list = field(default_factory=list)
    cpu: list = field(default_factory=list)  # CPU seconds of the mount's process
    peak: list = field(default_factory=list)  # and its memory, MiB
    failed: str = ""

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def each(self):
        """Seconds for one item."""
        return self.median / self.items

    @property
    def trips(self):
        """Round trips for one item."""
        return self.each * 1000 / self.rtt

    @property
    def cpu_each(self):
        return statistics.median(self.cpu) / self.items


class Figures:
    """All rows of a run, and the machine."""

    def __init__(self, machine=(), rows=()):
        self.machine, self.rows = [tuple(line) for line in machine], list(rows)

    def of(self, workload, server=None):
        return [row for row in self.rows if row.workload == workload and server in (None, row.server)]

    def find(self, workload, server, client):
        return next((row for row in self.of(workload, server) if row.client == client and row.seconds), None)

    def save(self, path):
        rows = [{key: value for key, value in asdict(row).items() if value not in ([], "", 0)} for row in self.rows]
        lines = ",\n  ".join(json.dumps(rounded(row)) for row in rows)
        path.write_text(f'{{"machine": {json.dumps(self.machine)},\n "rows": [\n  {lines}\n]}}\n')

    @classmethod
    def load(cls, path):
        kept = json.loads(path.read_text())
        return cls(kept["machine"], [Row(**row) for row in kept["rows"]])


def rounded(row):
    return {key: [round(n, 5) for n in value] if isinstance(value, list) else value for key, value in row.items()}


# ---- Limits --------------------------------------------------------------------------------------------------------

LFTP_OUT, LFTP_IN, LFTP_WALK = "lftp mirror, 8", "lftp mirror -R, 8", "lftp mirror --dry-run, 8"
PGET, CURL, RCLONE = "lftp pget -n 8", "curl", "rclone mount"
CP, TAR, GREP = ", cp -r", ", tar c", ", grep -r"
DEFAULT_CP, BACK_CP = "ftpfs, cp -r", "ftpfs writeback, cp -r, sync"
DEFAULT_RSYNC, BACK_RSYNC = "ftpfs, rsync -a", "ftpfs writeback, rsync -a, sync"
FTPFS, WALK_ALONE = "ftpfs", "ftpfs, find alone"
MEMORY = 150  # MiB


@dataclass
class Verdict:
    text: str
    met: bool


def at_most(share, rival):
    """Of the rival's time, per item."""

    def judge(row, figures):
        other = figures.find(row.workload, row.server, rival)
        if other:
            value = row.each / other.each
            return Verdict(f"{value:.2f} of {rival} (at most {share:g})", value <= share)
        return None

    return judge


def faster(times, rival):
    def judge(row, figures):
        other = figures.find(row.workload, row.server, rival)
        if other:
            value = other.each / row.each
            return Verdict(f"{value:.1f} times as fast as {rival} (at least {times:g})", value >= times)
        return None

    return judge


def trips(most):
    def judge(row, _):
        return Verdict(f"{row.trips:.2f} round trips a {row.unit} (at most {most:g})", row.trips <= most)

    return judge


def line_share(least):
    """What arrives, of what the line carries: headers are the line's loss, too."""

    def judge(row, _):
        value = (1 << 20) * 8 / row.each / (row.mbit * 1e6)
        return Verdict(f"{value:.1%} of the line (at least {least:.0%})", value >= least)

    return judge


def cpu_at_most(share, rival):
    def judge(row, figures):
        other = figures.find(row.workload, row.server, rival)
        if other and other.cpu:
            value = row.cpu_each / other.cpu_each
            return Verdict(f"{value:.2f} of {rival}'s CPU seconds (at most {share:g})", value <= share)
        return None

    return judge


def memory(row, _):
    return Verdict(f"{max(row.peak):.0f} MiB at most (at most {MEMORY})", max(row.peak) <= MEMORY)


LIMITS = {
    ("walk", FTPFS): [faster(8, RCLONE), at_most(1, LFTP_WALK)],
    **{("fetch", FTPFS + by): [faster(8, RCLONE + by), at_most(0.5, LFTP_OUT)] for by in (CP, TAR, GREP)},
    ("store", DEFAULT_CP): [trips(1.2)],
    ("store", BACK_CP): [at_most(0.6, LFTP_IN)],
    ("store", DEFAULT_RSYNC): [trips(2.3)],
    ("store", BACK_RSYNC): [at_most(0.7, LFTP_IN)],
    # The walk, and starting three processes.
    ("again", DEFAULT_RSYNC): [at_most(1.1, WALK_ALONE)],
    ("random", FTPFS): [trips(1.3)],
    ("sequential", FTPFS): [at_most(1, PGET)],
    ("capped", FTPFS): [line_share(0.95)],
    ("read", FTPFS): [at_most(1.2, CURL), cpu_at_most(0.5, RCLONE)],
    ("write", FTPFS): [at_most(1.3, CURL), cpu_at_most(0.5, RCLONE)],
}


def verdicts(row, figures):
    """What the row has to show; nothing where there are no limits or no rival."""
    if not row.seconds:
        return [Verdict(f"failed: {row.failed}", False)] if row.client.startswith("ftpfs") else []
    judges = list(LIMITS.get((row.workload, row.client), []))
    if row.client.startswith("ftpfs") and row.peak:
        judges.append(memory)
    return [verdict for judge in judges if (verdict := judge(row, figures))]
