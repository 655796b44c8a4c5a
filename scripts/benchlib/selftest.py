#!/usr/bin/env python3
"""Checks what scripts/bench makes of figures: medians, limits, tables. Measures nothing and takes no time."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchlib import figures, report  # noqa: E402: from beside this file, wherever it is run
from benchlib.figures import Figures, Row, Verdict, verdicts  # noqa: E402
from benchlib.stock import Sizes, Stock  # noqa: E402


def walked():
    ours = Row("walk", "vsftpd", "ftpfs", 1000, "directory", rtt=40, seconds=[20.0, 10.0, 90.0], cpu=[0.1, 0.2, 0.3], peak=[9.0, 151.0])
    part = Row("walk", "vsftpd", figures.RCLONE, 25, "directory", rtt=40, seconds=[5.0])
    return Figures([("Kernel", "Linux 6")], [ours, part])


class Limits(unittest.TestCase):
    def test_medians_are_not_means(self):
        self.assertEqual(walked().rows[0].median, 20)

    def test_a_part_is_compared_per_item(self):
        found = walked()
        first = verdicts(found.rows[0], found)[0]
        self.assertEqual(first, Verdict("10.0 times as fast as rclone mount (at least 8)", True))

    def test_a_rival_that_did_not_take_part_judges_nothing(self):
        found = walked()
        self.assertFalse([v for v in verdicts(found.rows[0], found) if "lftp" in v.text])

    def test_the_most_memory_of_all_runs_counts(self):
        found = walked()
        self.assertEqual(verdicts(found.rows[0], found)[-1], Verdict("151 MiB at most (at most 150)", False))

    def test_round_trips_are_per_item(self):
        row = Row("store", "vsftpd", figures.DEFAULT_CP, 200, "file", rtt=40, seconds=[9.6])
        self.assertEqual(verdicts(row, Figures(rows=[row])), [Verdict("1.20 round trips a file (at most 1.2)", True)])

    def test_a_line_is_measured_by_what_arrives(self):
        row = Row("capped", "vsftpd", "ftpfs", 256, "MiB", rtt=40, mbit=100, seconds=[256 * 8 * 1.048576 / 100 / 0.96])
        self.assertEqual(verdicts(row, Figures(rows=[row])), [Verdict("96.0% of the line (at least 95%)", True)])

    def test_a_failure_of_ours_is_a_limit_that_is_not_met(self):
        row = Row("walk", "vsftpd", "ftpfs", 1000, "directory", rtt=40, failed="find: exit 1")
        self.assertEqual(verdicts(row, Figures(rows=[row])), [Verdict("failed: find: exit 1", False)])
        self.assertEqual(report.cells(row)[2], "failed")

    def test_every_limit_is_of_a_workload_that_has_a_title(self):
        self.assertEqual({workload for workload, _ in figures.LIMITS} - set(report.TITLES), set())


class Scripts(unittest.TestCase):
    def test_all_of_them_are_python(self):
        here = Path(__file__).resolve().parent
        for script in [here.parent / "bench", here.parent / "slowline", *here.glob("*.py")]:
            compile(script.read_text(), script, "exec")


class Documents(unittest.TestCase):
    def test_what_was_kept_is_read_again(self):
        with tempfile.TemporaryDirectory() as folder:
            walked().save(Path(folder) / "kept")
            self.assertEqual(Figures.load(Path(folder) / "kept").rows, walked().rows)

    def test_only_what_stands_between_the_marks_is_renewed(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text("Head\n<!-- figures: machine -->old<!-- end -->\nWhy\n<!-- figures: walk -->\nold\n<!-- end -->\nFoot\n")
            report.write_into(page, walked(), report.Report(Sizes()))
            text = page.read_text()
        self.assertNotIn("old", text)
        for kept in ("Head\n", "\nWhy\n", "\nFoot\n", "| Kernel | Linux 6 |", "| vsftpd | ftpfs | 1,000 | 3 | 20.000 s | 10.000 s |"):
            self.assertIn(kept, text)
        self.assertIn("**not met:** 151 MiB", text)

    def test_a_part_is_told_as_the_whole_and_marked(self):
        self.assertIn("| 20.0 s |  | ~200.0 s |", report.Report(Sizes()).short(walked()))

    def test_the_parts_of_the_stock_are_as_many_as_is_said(self):
        sizes = Sizes(branches=2, twigs=2, leaves=2, inside=1, folders=3, each=2, some=4, few=1)
        with tempfile.TemporaryDirectory() as folder:
            stock = Stock(Path(folder) / "stock", sizes)
            counts = {name: sum(1 for _ in stock.has(name).rglob("*.*")) for name in ("tree", "small", "source", "source-some", "source-few")}
        self.assertEqual(counts, {"tree": 8, "small": 6, "source": 6, "source-some": 4, "source-few": 1})


if __name__ == "__main__":
    unittest.main(verbosity=0)
