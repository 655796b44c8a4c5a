"""Tables: for a terminal as the figures come, and for docs/performance.md."""

import re

from . import figures as clients
from .figures import verdicts

TITLES = {
    "walk": "`find` over {n} directories of {inside} files",
    "fetch": "{n} files of 4 to 64 KiB, read",
    "store": "new files of 4 KiB, until they are stored",
    "again": "`rsync -a` of {n} files that have not changed",
    "random": "4 KiB at a random place of a file of {large} MiB, the median read",
    "sequential": "{n} MiB from front to back",
    "capped": "{n} MiB from front to back, capped",
    "list": "`ls -l` of {n} names",
    "read": "{n} MiB read",
    "write": "{n} MiB written",
}


class Report:
    """Prints the rows of each workload under its heading."""

    def __init__(self, sizes):
        self.sizes = sizes

    def title(self, rows):
        words = {"n": f"{max(row.items for row in rows):,}", "inside": self.sizes.inside, "large": f"{self.sizes.large:,}"}
        return TITLES[rows[0].workload].format(**words)

    def show(self, rows, figures):
        first = rows[0]
        print(f"\n{self.title(rows)}, {where(first)}, {first.server}")
        print(f"  {'':<32}{'items':>7}{'median':>10}{'least':>10}{'most':>10}{'each':>10}{'trips':>7}{'CPU s':>8}{'MiB':>6}")
        for row in rows:
            print("  " + "".join(cell.ljust(32) if not n else cell.rjust((7, 10, 10, 10, 10, 7, 8, 6)[n - 1])
                                 for n, cell in enumerate(cells(row))).rstrip())
            for verdict in verdicts(row, figures):
                print(f"      {'met    ' if verdict.met else 'NOT MET'}  {verdict.text}", flush=True)

    def markdown(self, workload, figures):
        """One table of a workload: both servers, whatever line."""
        rows = figures.of(workload)
        if not rows:
            return "Not measured."
        lines = [f"{self.title(rows)[0].upper()}{self.title(rows)[1:]}, {where(rows[0])}:".replace("``", "`"), "",
                 "| Server | Client | Items | Runs | Median | Least | Most | Each | Round trips | CPU s | Peak MiB | Limits |",
                 "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"]
        for row in rows:
            said = "; ".join(v.text if v.met else f"**not met:** {v.text}" for v in verdicts(row, figures))
            name, items, *rest = cells(row)
            lines.append("| " + " | ".join([row.server, name, items, str(len(row.seconds)), *rest, said]) + " |")
        return "\n".join(lines)

    def short(self, figures):
        """A few workloads in a line each, at the first server; who did a part is taken as often as it goes into the whole."""
        lines = ["| | ftpfs | lftp, 8 connections, or curl | rclone mount |", "|---|--:|--:|--:|"]
        for title, workload, *names in SHORT:
            rows = figures.of(workload, figures.rows[0].server) if figures.rows else []
            if not rows:
                continue
            whole = max(row.items for row in rows)
            found = [next((row for row in rows if row.client == name and row.seconds), None) for name in names]
            times = [f"{'' if row.items == whole else '~'}{row.each * whole:.1f} s" if row else "" for row in found]
            lines.append("| " + " | ".join([f"{title.format(n=f'{whole:,}')}, {where(rows[0])}", *times]) + " |")
        return "\n".join(lines)


SHORT = [
    ("`find` over {n} directories of 10 files", "walk", clients.FTPFS, clients.LFTP_WALK, clients.RCLONE),
    ("`cp -r` of {n} files of 4 to 64 KiB from the server", "fetch",
     clients.FTPFS + clients.CP, clients.LFTP_OUT, clients.RCLONE + clients.CP),
    ("`cp -r` of {n} files of 4 KiB to it", "store", clients.DEFAULT_CP, clients.LFTP_IN, clients.RCLONE + clients.CP),
    ("the same with `writeback`, and `ftpfs sync`", "store", clients.BACK_CP, clients.LFTP_IN, clients.RCLONE + clients.CP),
    ("{n} MiB read", "sequential", clients.FTPFS, clients.PGET, clients.RCLONE),
    ("{n} MiB read", "read", clients.FTPFS, clients.CURL, clients.RCLONE),
    ("{n} MiB written", "write", clients.FTPFS, clients.CURL, clients.RCLONE),
]


def where(row):
    if not row.rtt:
        return "loopback"
    return f"{row.rtt:g} ms" + (f", {row.mbit:g} Mbit/s" if row.mbit else "")


def cells(row):
    """Name, items, median, least, most, each, trips, CPU seconds, peak: the last ones where they mean something."""
    if not row.seconds:
        return [row.client, f"{row.items:,}", "failed", *[""] * 6]
    counted = row.rtt and row.unit != "MiB"
    return [
        row.client,
        f"{row.items:,}",
        *(f"{n:.3f} s" for n in (row.median, min(row.seconds), max(row.seconds))),
        rate(row),
        f"{row.trips:.2f}" if counted else "",
        f"{sorted(row.cpu)[len(row.cpu) // 2]:.2f}" if row.cpu else "",
        f"{max(row.peak):.0f}" if row.peak else "",
    ]


def rate(row):
    if row.unit == "MiB":
        return f"{row.items * (1 << 20) / 1e6 / row.median:.0f} MB/s"
    return f"{row.each * 1000:.2f} ms"


def write_into(path, figures, report):
    """Renews what stands between `<!-- figures: NAME -->` and `<!-- end -->` in a document."""
    def renew(found):
        name = found[1]
        if name == "machine":
            text = "\n".join(["| | |", "|---|---|", *(f"| {what} | {value} |" for what, value in figures.machine)])
        elif name == "limits":
            text = summary(figures)
        elif name == "short":
            text = report.short(figures)
        else:
            text = report.markdown(name, figures)
        return f"<!-- figures: {name} -->\n\n{text}\n\n<!-- end -->"

    text = path.read_text()
    path.write_text(re.sub(r"<!-- figures: (\w+) -->.*?<!-- end -->", renew, text, flags=re.DOTALL))


def summary(figures):
    """How many limits there are, and those that are not met."""
    judged = [(row, verdict) for row in figures.rows for verdict in verdicts(row, figures)]
    missed = [(row, verdict) for row, verdict in judged if not verdict.met]
    head = f"{len(judged) - len(missed)} of {len(judged)} limits are met."
    if not missed:
        return head
    lines = [f"- {row.workload}, {row.server}, {row.client}: {verdict.text}" for row, verdict in missed]
    return "\n".join([head + " Not met:", "", *lines])
