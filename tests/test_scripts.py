"""The scripts as their users run them: every experiment, any executor, own data, interruptions."""

import html
import json
import multiprocessing
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

from relu_dynamics import (
    Coordinates, PositionalEncoding, init, pattern, photograph, regions_in_encoded_window, train,
)
from scripts import benchmark, experiments, moving_picture, reproduce
from scripts.lab import findings, own_data, readme, report, runs, schedule, style
from scripts.lab.inputs import encoding, in_order
from scripts.lab.ledger import FAILED, REPRODUCED, UNTESTED, VERDICTS, family
from scripts.lab.runs import Gates, Run
from scripts.lab.schedule import all_names, carry_out
from scripts.lab.settings import IMAGE_INPUTS, Settings, image_runs, signal_runs

ROOT = Path(__file__).parent.parent
ALL = all_names()
TINY = Settings("quick", (0, 1), epochs=2, hidden=(16,) * 4)
RUN = Run("tones", 32, "L=2", "half-open", (8, 8), 3, None, (0, 1, 3), 0)


def results(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


def draft(figure, screen, paper):
    """In place of schedule.save: everything is drawn once, but nothing is laid out or rasterised,
    which takes three quarters of the time of an experiment this small."""
    figure.set_layout_engine("none")
    figure.draw_without_rendering()
    screen.write_text(f"{figure.get_figwidth()} {figure.get_suptitle()}")
    paper.write_bytes(b"draft")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """Every experiment, tiny, with drafts of the pictures, and the reports."""
    out = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks this small may be constant
        patch.setattr(schedule, "save", draft)
        records, failed = carry_out(ALL, TINY, out, Elsewhere())
    assert not failed
    report.write(list(records.values()), ["e99"], out)
    return out, records


class Elsewhere(Executor):
    """A pool on another machine, as far as a program can tell: nothing goes there or comes back
    but bytes."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        message = pickle.dumps((function, args, kwargs))
        try:
            does, *how = pickle.loads(message)
            future.set_result(pickle.loads(pickle.dumps(does(*how[0], **how[1]))))
        except Exception as error:  # noqa: BLE001  whatever happens there is reported here
            future.set_exception(error)
        return future


# ------------------------------------------------------------------------ runs


def test_a_run_is_a_pure_function_of_its_description(tmp_path):
    """Same description, same bytes; and what is read back is what was trained."""
    first, second = runs.perform(RUN, tmp_path / "a"), runs.perform(RUN, tmp_path / "b")
    assert first.name == second.name == RUN.name() and first.read_bytes() == second.read_bytes()
    trained = runs.read(RUN, tmp_path / "a")
    assert trained.epochs.tolist() == [0, 1, 3] and trained.loss.shape == (3,)
    assert trained.x.shape == (32, 4) and trained.gates is None
    start = init([4, 8, 8, 1], runs.stream(RUN, "weights"))
    np.testing.assert_array_equal(trained.nets[0].weights[1], start.weights[1].astype(np.float32))


@pytest.mark.parametrize("gates", [None, Gates("[0,1]")])
def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path, monkeypatch, gates):
    """Stretches of one epoch; the third is cut off.  What was done is not repeated, and nothing
    unfinished stays."""
    run = RUN._replace(gates=gates)
    whole = runs.perform(run, tmp_path / "whole").read_bytes()
    monkeypatch.setattr(runs, "STRETCH", 0)
    calls = []

    def breaks_in_the_third(*args, **kwargs):
        calls.append(kwargs["epochs"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(runs, "train", breaks_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        runs.perform(run, tmp_path)
    assert [path.name for path in tmp_path.glob("*.npz")] == [f"unfinished-{run.name()}"]
    assert runs.share_done(run, tmp_path) == 2 / 3
    assert runs.perform(run, tmp_path).read_bytes() == whole and calls == [1, 1, 1, 1]
    assert [path.name for path in tmp_path.glob("*.npz")] == [run.name()]
    assert runs.share_done(run, tmp_path) == 0


@pytest.mark.parametrize("change", [
    {"signal": "photograph"}, {"size": 16}, {"input": "L=3"}, {"grid": "closed"}, {"hidden": (8,)},
    {"epochs": 4}, {"batch": 8}, {"checkpoints": (0, 3)}, {"seed": 1}, {"rate": 1e-2},
    {"gates": Gates("own")}])
def test_runs_that_differ_in_anything_have_different_files(change):
    assert RUN._replace(**change).name() != RUN.name()


def test_imposed_gates_are_the_donors_in_place_shuffled_or_flipped(tmp_path):
    """Own: the pattern before training.  Shuffled: the same rows.  Coins: the same means,
    nearly."""
    image = Run("thinned photograph", 24, "[0,1]", "half-open", (8, 8), 1, 64, (0, 1), 0)

    def gates_of(*description):
        run = image._replace(gates=Gates(*description))
        runs.perform(run, tmp_path)
        return runs.read(run, tmp_path), runs.held_out_gates(run, tmp_path)

    own, left_out = gates_of("own")
    np.testing.assert_array_equal(own.gates, pattern(own.nets[0], own.x))
    x, _ = runs.held_out(own.run, tmp_path)
    np.testing.assert_array_equal(left_out, pattern(own.nets[0], x))
    (donor, rest), (shuffled, rest2), (coins, rest3) = (
        gates_of("L=3", order) for order in ("in place", "shuffled", "coins"))
    every, mixed, flipped = (np.concatenate([a.gates, b]) for a, b in
                             ((donor, rest), (shuffled, rest2), (coins, rest3)))
    assert sorted(map(bytes, every)) == sorted(map(bytes, mixed)) and (every != mixed).any()
    np.testing.assert_allclose(flipped.mean(axis=0), every.mean(axis=0), atol=5 * 0.5 / 24)
    trained, _ = gates_of("L=3", "in place", 1)
    assert (trained.gates != donor.gates).any() and donor.loss[0] != own.loss[0]


@pytest.mark.parametrize("name, expected", [
    ("[0,1]", Coordinates(0, 1)), ("[-3,3.5]", Coordinates(-3, 3.5)),
    ("L=7", PositionalEncoding(7))])
def test_input_names_mean_encodings(name, expected):
    assert encoding(name) == expected


def test_inputs_go_from_the_narrowest_coordinates_to_the_most_frequencies_in_colours_of_their_own():
    given = ["L=10", "[-2,2]", "L=2", "[0,1]", "L=3", "[-1,1]", "L=2"]
    assert in_order(given) == ("[0,1]", "[-1,1]", "[-2,2]", "L=2", "L=3", "L=10")
    colours = [style.colour(name) for name in in_order([*given, *(f"L={k}" for k in range(1, 17))])]
    assert len(set(colours)) == 3 + 16


def test_inputs_of_one_seed_share_signal_and_pairs_and_grids_are_as_named(tmp_path):
    x, y = {}, {}
    for grid in ("half-open", "closed", "paper"):
        for name in ("[0,1]", "L=1"):
            run = RUN._replace(input=name, grid=grid)
            _, x[grid, name], y[grid, name] = runs.problem(run, tmp_path)
    assert all(np.array_equal(values, y["paper", "L=1"]) for values in y.values())
    assert x["half-open", "[0,1]"].max() == 31 / 32 and x["closed", "[0,1]"].max() == 1
    assert np.array_equal(x["paper", "[0,1]"], x["half-open", "[0,1]"])
    assert np.array_equal(x["paper", "L=1"], x["closed", "L=1"])
    assert not np.array_equal(x["half-open", "L=1"], x["closed", "L=1"])


@pytest.mark.parametrize("scale", ["quick", "laptop", "paper"])
def test_every_scale_has_its_runs(scale):
    settings = Settings(scale, (0, 1))
    assert len(signal_runs(settings)) == 4 * 2
    assert {name for _, name, _ in image_runs(settings)} == set(IMAGE_INPUTS[scale])
    for run in [*signal_runs(settings).values(), *image_runs(settings).values()]:
        assert run.checkpoints[0] == 0 and run.checkpoints[-1] == run.epochs


# ----------------------------------------------------------------- experiments


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_writes_its_numbers_its_picture_and_its_claims(reproduced, name):
    """And claims and picture follow from the saved numbers alone: the .npz holds everything."""
    out, records = reproduced
    width, heading = (out / f"{name}.png").read_text().split(" ", 1)
    assert float(width) <= style.WIDTH and heading.strip() and (out / f"{name}.pdf").exists()
    assert json.loads((out / f"{name}.json").read_text()) == records[name]
    experiment = schedule.module(name)
    with np.load(out / f"{name}.npz", allow_pickle=False) as file:
        data = dict(file)
    rows = schedule.ledger.rows(experiment.claims(data), schedule.kind(experiment), TINY.scale)
    assert rows == records[name]["claims"] and rows
    for row in rows:
        assert row["verdict"] in VERDICTS and row["measured"] and row["effect"]


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_what_it_asks_where_it_is_from_and_how_to_repeat_it(reproduced, name):
    """The commands of the docstring and of the record run the experiment, the latter with these
    very settings."""
    record, documented = reproduced[1][name], schedule.module(name).__doc__
    assert record["question"].endswith("?") and record["about"] and record["source"]
    assert record["shows"].endswith(".")
    assert f"\n    python -m scripts.reproduce {name}\n" in documented
    program, *argv = record["command"].removeprefix("python -m ").split()
    options = reproduce.parsed(argv)
    assert program == "scripts.reproduce" and schedule.chosen(options.experiments) == [name]
    assert reproduce.settings_of(options) == TINY


def test_keys_of_claims_are_unique(reproduced):
    keys = [row["key"] for record in reproduced[1].values() for row in record["claims"]]
    assert len(keys) == len(set(keys))


def test_experiments_are_the_files_of_the_folder_and_are_named_in_full_or_by_number(
        tmp_path, monkeypatch):
    """Adding an experiment is adding one file; order is natural."""
    text = '''"""X99. Is one positive?

    python -m scripts.reproduce x99_one

By looking.
"""

import numpy as np

from scripts.lab import Claim, Link, style

TITLE, SOURCE, SHOWS = "One", "a test", "Nothing."


def runs(settings):
    return []


def measure(settings, folder):
    return {"one": np.ones(len(settings.seeds))}


def claims(data):
    return [Claim("X99", "one is positive", "1", [Link("one", data["one"])])]


def draw(data):
    return style.panels(1, 1)[0]
'''
    (tmp_path / "x99_one.py").write_text(text)
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    assert all_names() == [*ALL, "x99_one"]
    assert [ALL.index(name) for name in sorted(ALL, key=lambda name: int(name[1:3].strip("_"))
                                               + 100 * "etx".index(name[0]))] == [*range(len(ALL))]
    assert schedule.chosen(["x99", "e1"]) == ["e1_signal_fit", "x99_one"]
    assert schedule.chosen(["e4"]) == ["e4_region_growth"]
    records, failed = carry_out(["x99_one"], TINY, tmp_path, Elsewhere())
    assert not failed and records["x99_one"]["claims"][0]["verdict"] == "reproduced"


def test_the_report_is_one_page_that_needs_nothing_from_elsewhere(reproduced):
    """With every claim and picture, and every link leading to a place in it; not large."""
    out, records = reproduced
    page, kept = (out / "report.html").read_text(), json.loads((out / "claims.json").read_text())
    assert page.count("data:image/png;base64,") == len(ALL) and "Did not run: e99" in page
    assert len(page.encode()) < report.MOST_BYTES
    rows = [row for record in records.values() for row in record["claims"]]
    assert [row["key"] for row in kept["claims"]] == [row["key"] for row in rows]
    assert not re.search(r"<script|src=\"http|@import|<link", page)
    links, places = (set(re.findall(form, page)) for form in (r'href="#([^"]*)"', r'id="([^"]*)"'))
    assert links <= places and {row["key"] for row in rows} | set(ALL) <= places
    for sentence in [kept["heading"], *kept["summary"]]:
        assert html.escape(sentence) in page and sentence in (out / "claims.md").read_text()
    assert kept["heading"] == "Claims at quick scale, 2 seeds"


def test_the_report_tells_a_story(reproduced):
    """The question, the answer, the argument, what failed, what is open, the words, and then the
    experiments, folded; all pictures are lazy and say what is seen."""
    page = (reproduced[0] / "report.html").read_text()
    order = ["<h1>", *(heading for heading, *_ in report.ANSWERS), "step by step",
             "What failed", "What is not known", "Interference", "<h2 id=\"experiments\">"]
    assert [page.index(part) for part in order] == sorted(page.index(part) for part in order)
    assert page.count("<img") == page.count('<img loading="lazy" alt="') == page.count("Seen are: ")
    first, *sections = page.split("<details id=")
    assert len(sections) == len(ALL) and first.count("<img") == 4


def test_every_claim_of_the_paper_is_in_its_argument_once(reproduced):
    """Those on the random image excepted.  And what is told or guessed of a claim, is of one that
    there is."""
    rows = [row for record in reproduced[1].values() for row in record["claims"]]
    for row in rows:
        steps = sum(bool(report.tests(step, [row])) for step in (*report.PAPERS, *report.OURS))
        natural = row["image"] != "random image"
        assert steps == natural if row["kind"] == "paper" else steps <= natural, row["key"]
    source = "".join(path.read_text() for path in (ROOT / "scripts/experiments").glob("*.py"))
    there = {family(row) for row in rows} | {*re.findall(r'"([ETX]\d+[a-z]*)"', source)}
    assert {*findings.SAID, *findings.REASONS} <= there
    told = {key for *_, keys in report.ANSWERS for key in keys} | {*report.SHORTLY}
    assert told | {*readme.ANSWER, *readme.TABLE} == {*findings.SAID}


def test_the_report_says_what_the_verdicts_say():
    """Of each claim the one sentence that its verdict allows; and each verdict in its list."""
    for verdict in VERDICTS:
        rows = [{"key": f"{key}-brain", "verdict": verdict, "claim": f"claim {key}", "why": "",
                 "image": "brain", "measured": "7", "effect": "8", "kind": "paper", "length": "9",
                 "adjusted": None, "p": 1.0} for key in findings.SAID]
        told = html.unescape(report.answer([{"name": "x99", "claims": rows}], Path()))
        for row in rows:
            assert (findings.told(row) in told) == any(
                family(row) in keys for *_, keys in report.ANSWERS)
            for other in VERDICTS:
                assert (f"claim {row['key'].split('-')[0]}<" in report.listed(rows, other)) == (
                    verdict == other)
        said = {REPRODUCED: "holds<", FAILED: "fails<"}.get(verdict, "not decided<")
        assert (said if verdict != UNTESTED else "untested<") in report.verdict_of(rows)
    both = [{"verdict": REPRODUCED, "kind": "question"}, {"verdict": FAILED, "kind": "question"}]
    assert "holds in part<" in report.verdict_of(both)
    assert "fails<" in report.verdict_of([both[0], {**both[1], "kind": "paper"}])


def test_experiments_with_other_seeds_are_put_together_from_their_files(reproduced, tmp_path):
    """As after two commands with one folder; the heading says so."""
    out, _ = reproduced
    for name in ("e1_signal_fit", "e5_image_hamming"):
        for ending in ("json", "png"):
            (tmp_path / f"{name}.{ending}").write_bytes((out / f"{name}.{ending}").read_bytes())
    with ThreadPoolExecutor(1) as executor:
        carry_out(["e4_region_growth"], TINY._replace(seeds=(0, 1, 2)), tmp_path, executor)
    assert report.main([str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "claims.json").read_text())
    assert kept["heading"] == "Claims at quick scale, 2 seeds (E4: 3)"
    assert list(dict.fromkeys(row["experiment"] for row in kept["claims"])) == [
        "e1_signal_fit", "e4_region_growth", "e5_image_hamming"]


def test_the_length_of_training_is_said_where_experiments_train_by_themselves_too(reproduced):
    """Beside the paper's where that is known."""
    records = reproduced[1]
    assert records["e5_image_hamming"]["length"] == "2 epochs, 1000 in the paper"
    assert records["e13_inscribed_balls"]["length"] == "no training"
    for name in ("e22_training_curves", "t18_moving_walls", "x8_time_to_half"):
        assert records[name]["length"].startswith("2 epochs")


def test_claims_keep_the_rules_of_words(reproduced):
    """"Every epoch" is every checkpoint, and how many there are is said."""
    for record in reproduced[1].values():
        for row in record["claims"]:
            if row["kind"] == "paper":
                assert not re.search(r"every epoch|at every checkpoint(?! \(\d)", row["claim"])


# ------------------------------------------------------------- carrying them out


def test_any_executor_gives_the_same_bytes(reproduced, tmp_path):
    """Runs and experiments are functions of what is sent to them, and files are all that they
    leave; in other processes, another folder and another order."""
    names = ["e3_signal_confusion", "e1_signal_fit"]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        records, failed = carry_out(names, TINY, tmp_path, executor)
    assert not failed and records == {name: reproduced[1][name] for name in names}
    whole, here = results(reproduced[0]), results(tmp_path)
    assert here.keys() == {path for path in whole if path.split(".")[0] in names}
    assert all(here[path] == whole[path] for path in here if path.endswith(("npz", "json")))
    assert results(tmp_path / "runs").items() <= results(reproduced[0] / "runs").items()
    schedule.perform(names[1], TINY, tmp_path)
    assert results(tmp_path) == here
    assert here["e1_signal_fit.png"].startswith(b"\x89PNG")
    assert here["e1_signal_fit.pdf"].startswith(b"%PDF")


def test_what_is_done_is_kept_and_what_is_missing_is_redone(reproduced, monkeypatch):
    out, records = reproduced
    before = results(out)
    (out / "e4_region_growth.png").unlink()
    monkeypatch.setattr(schedule, "save", draft)
    monkeypatch.setattr(runs, "perform", lambda *_: pytest.fail("a run was repeated"))
    with ThreadPoolExecutor(1) as executor:
        again, failed = carry_out(ALL, TINY, out, executor)
    assert not failed and again == records and results(out) == before
    assert schedule.done("e1_signal_fit", TINY._replace(seeds=(0,)), out) is None


def test_a_failure_stops_nothing_but_what_needs_it(tmp_path, monkeypatch, capsys):
    """An experiment that breaks, and a run that breaks the experiments that need it."""
    perform = runs.perform

    def breaks_on_l5(run, folder):
        return 1 / 0 if run.input == "L=5" else perform(run, folder)

    monkeypatch.setattr(schedule.module("e3_signal_confusion"), "measure", lambda *_: 1 / 0)
    monkeypatch.setattr(runs, "perform", breaks_on_l5)
    names = ["e1_signal_fit", "e3_signal_confusion", "e4_region_growth"]
    with ThreadPoolExecutor(1) as executor:
        records, failed = carry_out(names, TINY._replace(seeds=(0,), epochs=1), tmp_path, executor)
    assert sorted(failed) == names[1:] and list(records) == names[:1]
    assert "ZeroDivisionError" in capsys.readouterr().out and not list(tmp_path.glob("e3*"))


def test_exit_status_says_whether_everything_ran(tmp_path, monkeypatch, capsys):
    """Not whether the paper was right; and the ledger is written either way."""
    failing = schedule.ledger.Claim("K", "c", "m", [schedule.ledger.Link("x", -np.ones(2))],
                                    why="because")
    record = {**schedule.described("e1_signal_fit", TINY), "length": "long",
              "claims": schedule.ledger.rows([failing])}
    (tmp_path / "e1_signal_fit.png").touch()
    for failed, status in (([], 0), (["e5_image_hamming"], 1)):
        monkeypatch.setattr(schedule, "carry_out", lambda *_, failed=failed,
                            **__: ({"e1": record}, failed))
        assert reproduce.main(["--quick", "--out", str(tmp_path)]) == status
        ledger = json.loads((tmp_path / "claims.json").read_text())
        assert ledger["claims"][0]["verdict"] == FAILED
        assert ledger["summary"][0] in (tmp_path / "claims.md").read_text()
        assert "<i>because</i>" in (tmp_path / "report.html").read_text()


def _heed_interrupts():
    """Tests run in the background of a shell inherit that SIGINT is ignored; a command at a
    terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix",
                    reason="sends a signal to a process group, as a terminal does")
def test_an_interrupted_command_leaves_whole_files_and_goes_on_from_there(tmp_path):
    """Ctrl-C reaches the workers too; nothing half-written stays, and the exit status says
    interrupted.  Called again it ends."""
    argv = ["e1", "--quick", "--seeds", "2", "--epochs", "20", "--workers", "2",
            "--out", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-m", "scripts.reproduce", *argv], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True, preexec_fn=_heed_interrupts)
    assert "training runs" in process.stdout.readline()
    while not list(tmp_path.rglob("*.npz")):  # a first run is done, others are under way
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "goes on from there" in errors
    assert not list(tmp_path.rglob("*.part"))
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("[!u]*.npz")}
    settings = reproduce.settings_of(reproduce.parsed(argv))
    _, failed = carry_out(["e1_signal_fit"], settings, tmp_path, Elsewhere())
    assert not failed and done and {path: path.stat().st_mtime_ns for path in done} == done


# ------------------------------------------------------------------- own data


@pytest.fixture
def own(tmp_path):
    """A photograph in several formats, and a signal in several."""
    image = photograph(40)
    opaque = np.concatenate([image, np.ones((40, 40, 1))], axis=2)
    (tmp_path / "many").mkdir()
    for name, values in (("a.png", image), ("many/b.tiff", image), ("many/c.png", opaque),
                         ("grey.jpg", image.mean(axis=2)), ("flat.png", 0 * image),
                         ("small.png", image[:20])):
        imsave(tmp_path / name, values, cmap="gray")
    wave = np.sin(np.arange(100)) + 3
    np.save(tmp_path / "s.npy", wave)
    np.savetxt(tmp_path / "s.txt", wave, fmt="%.18g")
    np.savetxt(tmp_path / "s.csv", np.stack([wave, wave], 1), fmt="%.18g", delimiter=",",
               header="a,b", comments="")
    np.save(tmp_path / "cube.npy", np.ones((4, 4, 4)))
    np.save(tmp_path / "short.npy", wave[:9])
    np.save(tmp_path / "constant.npy", np.ones(100))
    np.save(tmp_path / "gap.npy", np.where(wave > 3, wave, np.nan))
    np.save(tmp_path / "complex.npy", wave + 1j)
    np.save(tmp_path / "huge.npy", 1e155 * wave)
    np.save(tmp_path / "tiny.npy", 1e-155 * wave)
    (tmp_path / "words.csv").write_text("a\nb\n")
    (tmp_path / "nothing.csv").write_text("a\n\n")
    (tmp_path / "comma.csv").write_text("".join(f"0,{k}\n" for k in range(100)))
    (tmp_path / "fake.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_own_data_are_known_by_their_content(own):
    """Not by their names or formats: the same picture as png, tif and opaque RGBA; the same
    signal as npy, txt and the first column of a csv with a header."""
    pictures = [own_data.read_picture(own / name) for name in ("a.png", "many/b.tiff", "many/c.png",
                                                               "grey.jpg")]
    assert len({own_data.name(values, own_data.PICTURE) for values in pictures[:3]}) == 1
    assert pictures[0].shape == (40, 40, 3) and pictures[3].shape[:2] == (40, 40)
    signals = [own_data.read_signal(own / name) for name in ("s.npy", "s.txt", "s.csv")]
    assert len({own_data.name(values, own_data.SIGNAL) for values in signals}) == 1
    assert own_data.name(pictures[0],
                         own_data.PICTURE) != own_data.name(pictures[3], own_data.PICTURE)


def test_transparent_pictures_are_on_white(tmp_path):
    values = np.zeros((30, 30, 4))
    values[:, :15, 3] = 1
    imsave(tmp_path / "half.png", values)
    left, right = own_data.read_picture(tmp_path / "half.png")[0, [0, -1]].tolist()
    assert left == [0] * 3 and right == [65535] * 3


def test_experiments_work_on_own_pictures_and_signals(own, tmp_path, monkeypatch):
    """Any inputs and shapes; workers find the data beside the runs; every claim names its image."""
    monkeypatch.setattr(schedule, "save", draft)
    out = tmp_path / "out"
    argv = ["e1", "e5", "e15", "t16", "--quick", "--seeds", "1", "--epochs", "1", "--hidden", "8",
            "8",
            "--inputs", "L=2", "[-1,1]", "L=3", "--image", str(own / "many"), str(own / "grey.jpg"),
            "--signal", str(own / "s.csv"), "--out", str(out)]
    options = reproduce.parsed(argv)
    settings = reproduce.settings_of(options)
    reproduce.keep_own(options, settings)
    records, failed = carry_out(schedule.chosen(options.experiments), settings, out, Elsewhere())
    assert not failed and [own.label for own in settings.pictures] == ["b", "c", "grey"]
    keys = {row["key"] for record in records.values() for row in record["claims"]}
    assert {"E5a-b", "E5a-c", "E5a-grey", "T16e-b"} <= keys
    statement = records["e1_signal_fit"]["claims"][0]["claim"]
    assert "[-1,1] > L=2 > L=3" in statement
    assert not [path for path in (out / "runs").glob("*")
                if re.search(r"grey|s\.csv|many", path.name)]


@pytest.mark.parametrize("command, message", [
    ("--image small.png", "too small, 40 x 20"),
    ("--image fake.png", "cannot be read as a picture"),
    ("--image none.png", "cannot be read"),
    ("--image empty", "no picture in this folder"),
    ("--image flat.png", "one colour"),
    ("--image a.png --size 41", "too small for --size 41"),
    ("--signal cube.npy", "one column"),
    ("--signal short.npy", "too short, 9 samples"),
    ("--signal constant.npy", "not constant"),
    ("--signal gap.npy", "finite"),
    ("--signal words.csv", "cannot be read as a signal"),
    ("--signal nothing.csv", "no numbers"),
    ("--signal comma.csv", "decimal commas"),
    ("--signal complex.npy", "complex numbers"),
    ("--signal huge.npy", "moderate size"),
    ("--signal tiny.npy", "moderate size"),
    ("--signal a.png", "not one of .npy"),
    ("--signal none.txt", "cannot be read"),
    ("--signal s.npy --size 101", "too small for --size"),
    ("--inputs L=0", "Got 'L=0'"),
    ("--inputs [1,0]", "lo < hi"),
    ("--inputs '2^1 x 2'", "Got '2^1 x 2'"),
    ("--hidden 0", "at least 1"),
    ("--size 5", "--size must be at least"),
    ("--size 300", "at most 256"),
    ("--seeds 0", "at least 1"),
    ("--seed -1", "negative"),
    ("--epochs 0", "at least 1"),
    ("--workers 0", "at least 1"),
    ("e99", "unknown experiment e99"),
])
def test_what_cannot_be_used_is_one_line_and_nothing_is_written(
    own, monkeypatch, capsys, command, message
):
    monkeypatch.chdir(own)
    with pytest.raises(SystemExit) as stop:
        reproduce.main(shlex.split(command))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (own / "out").exists()


def test_the_benchmark_refuses_parts_it_does_not_have(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["nothing"])
    assert "no part is called nothing" in capsys.readouterr().err


# ------------------------------------------------------------ regions per pixel


@pytest.mark.parametrize("name", ["[0,1]", "L=1"])
def test_tiles_of_the_unit_square_own_every_region_of_it_once(name):
    """So that the mean over random tiles estimates the number of regions without bias (X5)."""
    x5, feed = schedule.module("x5_regions_per_pixel"), encoding(name)
    net = init([feed.columns(2), 16, 16, 1], np.random.default_rng(3))

    def own(corners, side):
        boxes = np.stack([corners, corners + side], axis=2)
        return x5.own_regions(regions_in_encoded_window(net, feed, boxes), corners, side).sum()

    corners = np.stack(np.divmod(np.arange(16), 4), axis=1) / 4
    assert own(corners, 1 / 4) == own(np.zeros((1, 2)), 1.0) > 16


# ----------------------------------------------------------- the moving picture


def test_the_moving_picture_is_one_page_that_needs_no_other_file(tmp_path):
    """The same bytes twice, no address in it, four panels of two pictures for each of the frames
    that were asked for, and the photograph; and small enough to send."""
    pages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert moving_picture.main(["--quick", "--frames", "2", "--out", str(folder)]) == 0
        pages.append((folder / "moving_picture.html").read_text())
    assert pages[0] == pages[1] and not re.search(r"https?://|//[a-z]+\.",
                                                  re.sub(r"base64,[^\"]*", "", pages[0]))
    assert pages[0].count("data:image/webp;base64,") == 2 * 8 + 1 and len(pages[0]) < 4e6


@pytest.mark.parametrize("argv", [["--frames", "1"], ["--seed", "-1"]])
def test_the_moving_picture_refuses_bad_arguments(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        moving_picture.main(argv)
    assert stop.value.code == 2 and "must" in capsys.readouterr().err


