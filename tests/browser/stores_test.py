"""Stores at the edges of what there is, of the demo model, and of large ones."""

import os
import pathlib
import sys
import time
import unittest

import browser
import stores
from report_case import ReportCase, settings, texts_in


BIG = "LIL_BROWSER_TRACES"  # how many traces the largest store has; none is made where it is not set


class Sizes(ReportCase):
    """Stores at the edges of what there is."""

    def check(self, store: str, *options):
        self.page = settings.lil.report(store, "edge.html", *options)
        self.expect_whole()
        self.expect_no_sideways_scroll()
        self.open_trace(0)
        self.expect_clean()

    def test_one_trace(self):
        self.check(stores.short(settings.lil, "one", 1))

    def test_no_gold_answers(self):
        self.check(stores.short(settings.lil, "nogold", 12, gold=False))

    def test_nothing_stopped_and_many(self):
        self.check(stores.short(settings.lil, "many", 2000))
        self.assertEqual(self.run_script("return [data.index.total, data.index.traces.length]"), [2000, 200])
        found = self.run_script("return document.getElementById('found').textContent")
        self.assertIn("These 200 of 2,000 were chosen", found)
        self.assertNotIn("%", found)

    def test_one_distance_between_checks(self):
        text = "".join(f"{i * 7919 % 10007} and " for i in range(40))
        store = stores.short(settings.lil, "onef", 6, text=text + "\\boxed{{{i}}}" + "x" * 40, every=250)
        self.check(store)
        self.expect_figures("lengths", "curves", "pareto", "risk")
        self.assertIn(
            "checks at one value of f", self.run_script("return document.getElementById('not-shown').textContent")
        )

    def test_runs_against_each_other(self):
        names = [f"a_store_with_a_name_of_several_long_words_{i}" for i in range(2)]
        for i, name in enumerate(names):
            stores.write_log(
                settings.lil.folder / f"{name}.jsonl",
                [{"id": "1", "output": f"\\boxed{{{i}}}", "gold": "1", "model": f"some/Model-{i}"}],
            )
            settings.lil("import", f"{name}.db", f"{name}.jsonl", "--problem-set", "s", "--progress", "none")
            settings.lil("grade", f"{name}.db", "--progress", "none")
        settings.lil("compare", *(f"{name}.db" for name in names), "--html", "pair.html")
        self.page = settings.lil.folder / "pair.html"
        self.expect_no_sideways_scroll()
        for width in (1000, 1280):
            self.browser.resize(width)
            self.open()
            cells = self.run_script("""return [...document.querySelectorAll('#summary td')].slice(0, 2)
                .map((cell) => [cell.textContent, cell.getBoundingClientRect().width, cell.clientHeight])""")
            for text, cell_width, height in cells:
                self.assertNotIn("unknown", text)
                self.assertGreater(cell_width, 180)
                self.assertLess(height, 100)
        self.expect_clean()

    @unittest.skipUnless(os.environ.get(BIG), f"{BIG} is not set")
    def test_very_many(self):
        many = int(os.environ[BIG])
        store = stores.short(settings.lil, "verymany", many)
        started = time.monotonic()
        self.check(store)
        print(f"report of {many} traces: {time.monotonic() - started:.1f} s", file=sys.stderr)
        self.assertEqual(self.run_script("return data.index.total"), many)

    def test_no_text_at_all(self):
        self.check(stores.short(settings.lil, "empty", 3, text=""))

    def test_long_trace_opens_at_once(self):
        text = "".join(f"{i * 7919 % 10007} and " for i in range(12000)) + "again and again, " * 4000
        stores.write_log(settings.lil.folder / "long.jsonl", [{"id": "long", "output": text, "gold": "1"}])
        settings.lil("import", "long.db", "long.jsonl", "--progress", "none")
        settings.lil.replay_and_grade("long.db", every=250, signals=("zlib(level=6)",))
        self.check("long.db")
        self.run_script("explorer.change({trace: -1})")
        time.sleep(0.2)
        milliseconds = self.run_script(
            """const start = performance.now(); explorer.state = {...explorer.state, trace: 0};
            explorer.show();
            document.getElementById('trace').getBoundingClientRect();
            return performance.now() - start"""
        )
        print(f"a trace of {len(text)} tokens opens in {milliseconds:.0f} ms", file=sys.stderr)
        made, pieces = self.run_script(
            "const {pieces} = explorer.view.pane; return [pieces.filter((p) => p.firstChild).length, pieces.length]"
        )
        self.assertGreater(pieces, 30)
        self.assertLess(made, 10)


class Demo(ReportCase):
    """Traces of the demo model, with what was recorded of each token."""

    @classmethod
    def setUpClass(cls):
        if not (settings.bin / "lil-record").exists():
            raise unittest.SkipTest("lil-record is not built")
        model = settings.source / "tools/demo_model"
        settings.lil(
            "record",
            "demo.db",
            "--model",
            model / "lil-demo-1m",
            "--problems",
            model / "problems.jsonl",
            "--problem-set",
            "trader",
            "--first",
            24,
            "--max-tokens",
            600,
            "--policy",
            "full",
            "--policy",
            "sink(budget=128,192)",
            "--progress",
            "none",
        )
        settings.lil.replay_and_grade("demo.db", every=25)
        cls.page = settings.lil.report(
            "demo.db", "demo.html", "--rule", "guardian(f=50,t=10)", "--rule", "guardian(f=150,t=20)"
        )

    def test_is_whole(self):
        self.expect_whole()
        self.expect_figures(
            "budget", "lengths", "curves", "curves-lz77", "plane", "pareto", "signals", "roc", "risk", "savings-split"
        )
        self.expect_same_stops()
        self.expect_whole_tables()

    def test_scripts_off(self):
        with browser.Browser(scripts=False) as without:
            without.open(self.page)
            for figure in ("lengths", "curves", "plane", "pareto"):
                self.assertTrue(without.is_drawn(f"#{figure} figure svg"), figure)

    def test_strips(self):
        self.open()
        self.open_trace(0)
        recorded = self.run_script(
            "return ['surprise', 'entropy'].filter((key) => key in explorer.view.content).length"
        )
        self.assertEqual(
            self.run_script("return document.querySelectorAll('#trace .chart .strip.least').length"), recorded
        )
        self.assertGreater(recorded, 0)

    def test_cells_of_the_plane_lead_to_their_traces(self):
        self.open()
        links = self.run_script(
            """const links = [...document.querySelectorAll('figure a')].map((a) => a.getAttribute('href'));
            return links.filter((href) => href.startsWith('#traces?'))"""
        )
        self.assertGreater(len(links), 0)
        self.open(links[0])
        wanted = dict(each.split("=", 1) for each in links[0].split("?")[1].split("&"))
        state = self.run_script(
            "return {run: explorer.state.run, f: String(explorer.state.f), t: String(explorer.state.t)}"
        )
        self.assertEqual(state, {key: wanted[key] for key in state})
        self.assertGreater(self.run_script("return document.querySelectorAll('#trace-list tbody tr').length"), 0)
        self.expect_clean()


class Real(ReportCase):
    """Long traces of large models."""

    @classmethod
    def setUpClass(cls):
        data = os.environ.get("LIL_TEST_DATA")
        if not data or not os.path.isdir(data):
            raise unittest.SkipTest("LIL_TEST_DATA is not set")
        files = sorted(pathlib.Path(data, "traces").glob("*/*.json*"))
        cls.files = len(files)
        settings.lil(
            "import",
            "real.db",
            *files,
            "--tokenizer",
            pathlib.Path(data, "tokenizers/qwen.tiktoken"),
            "--progress",
            "none",
        )
        settings.lil.replay_and_grade("real.db", every=50, signals=("zlib(level=6)",))
        cls.page = settings.lil.report("real.db", "real.html")

    def test_is_whole(self):
        self.expect_whole()
        self.assertEqual(self.files, 12)
        self.assertGreaterEqual(self.run_script("return document.querySelectorAll('#runs tbody tr').length"), 12)
        self.expect_figures("lengths", "curves", "plane", "pareto", "signals", "roc", "risk", "savings-split")
        self.assertGreater(self.expect_same_stops(), 0)
        self.assertGreater(self.expect_whole_tables(), 400)
        self.expect_no_sideways_scroll()

    def test_text_of_every_trace(self):
        self.open()
        for trace, expected in enumerate(texts_in(self.page)[:20]):
            self.open_trace(trace)
            self.assertEqual(self.shown_text(), expected["text"])
        self.expect_clean()
