"""The scripts as their users run them: every experiment, twice, with equal bytes; interruptions; README."""

import importlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from relu_dynamics.encoding import Coordinates, PositionalEncoding
from relu_dynamics.mlp import MLP, init, predict
from relu_dynamics.tangent import tangent_kernel
from relu_dynamics.training import sgd, train
from scripts import benchmark, experiment, moving_picture, report, reproduce, runs, t32_infinite_width
from scripts.experiment import ALL, carry_out
from scripts.ledger import FAILED, REPRODUCED, UNDECIDED
from scripts.runs import Run, Settings, image_runs, signal_runs

ROOT = Path(__file__).parent.parent
TINY = Settings("quick", (0, 1), "half-open", epochs=2)
RUN = Run("tones", 32, "L=2", "half-open", (8, 8), 3, None, (0, 1, 3), 0)


def results(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """Every experiment, tiny, in this process."""
    out = tmp_path_factory.mktemp("reproduced")
    with ThreadPoolExecutor(1) as executor:
        records, failed = carry_out(ALL, TINY, out, executor)
    assert not failed
    return out, records


# ------------------------------------------------------------------------ runs


def test_a_run_is_a_pure_function_of_its_description(tmp_path):
    """Same description, same bytes; and what is read back is what was trained."""
    first, second = runs.perform(RUN, tmp_path / "a"), runs.perform(RUN, tmp_path / "b")
    assert first.name == second.name == RUN.name() and first.read_bytes() == second.read_bytes()
    trained = runs.read(RUN, tmp_path / "a")
    assert trained.epochs.tolist() == [0, 1, 3] and trained.loss.shape == (3,) and trained.x.shape == (32, 4)
    start = runs.init([4, 8, 8, 1], runs.stream(RUN, "weights"))
    np.testing.assert_array_equal(trained.nets[0].weights[1], start.weights[1].astype(np.float32))


def test_an_interrupted_run_goes_on_where_it_stopped_to_the_same_bytes(tmp_path, monkeypatch):
    """Stretches of one epoch; the third is cut off.  What was done is not repeated, and nothing unfinished stays."""
    whole = runs.perform(RUN, tmp_path / "whole").read_bytes()
    monkeypatch.setattr(runs, "_stretch", lambda run: 1)
    calls, train = [], runs.train

    def breaks_in_the_third(*args, **kwargs):
        calls.append(kwargs["epochs"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(runs, "train", breaks_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        runs.perform(RUN, tmp_path)
    assert [path.name for path in tmp_path.glob("*.npz")] == [f"unfinished-{RUN.name()}"]
    assert runs.share_done(RUN, tmp_path) == 2 / 3
    assert runs.perform(RUN, tmp_path).read_bytes() == whole and calls == [1, 1, 1, 1]
    assert [path.name for path in tmp_path.glob("*.npz")] == [RUN.name()] and runs.share_done(RUN, tmp_path) == 0


@pytest.mark.parametrize("change", [
    {"signal": "photograph"}, {"size": 16}, {"input": "L=3"}, {"grid": "closed"}, {"hidden": (8,)}, {"epochs": 4},
    {"batch": 8}, {"checkpoints": (0, 3)}, {"seed": 1}, {"rate": 1e-2}])
def test_runs_that_differ_in_anything_have_different_files(change):
    assert RUN._replace(**change).name() != RUN.name()


@pytest.mark.parametrize("name, expected", [("[0,1]", Coordinates(0, 1)), ("[-3,3]", Coordinates(-3, 3)), ("L=7", PositionalEncoding(7))])
def test_input_names_mean_encodings(name, expected):
    assert runs.encoding(name) == expected


def test_inputs_of_one_seed_share_signal_and_pairs_and_grids_are_as_named():
    x, y = {}, {}
    for grid in ("half-open", "closed", "paper"):
        for name in ("[0,1]", "L=1"):
            _, x[grid, name], y[grid, name] = runs.problem(RUN._replace(input=name, grid=grid))
    assert all(np.array_equal(values, y["paper", "L=1"]) for values in y.values())
    assert x["half-open", "[0,1]"].max() == 31 / 32 and x["closed", "[0,1]"].max() == 1
    assert np.array_equal(x["paper", "[0,1]"], x["half-open", "[0,1]"])
    assert np.array_equal(x["paper", "L=1"], x["closed", "L=1"])
    assert not np.array_equal(x["half-open", "L=1"], x["closed", "L=1"])


@pytest.mark.parametrize("scale", ["quick", "laptop", "paper"])
def test_every_scale_has_its_runs(scale):
    settings = Settings(scale, (0, 1))
    assert len(signal_runs(settings)) == 4 * 2
    assert len(image_runs(settings, wide=True)) == 2 * 7 * 2
    for run in [*signal_runs(settings).values(), *image_runs(settings).values()]:
        assert run.checkpoints[0] == 0 and run.checkpoints[-1] == run.epochs


# ----------------------------------------------------------------- experiments


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_writes_its_numbers_its_picture_and_its_claims(reproduced, name):
    out, records = reproduced
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG") and (out / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    with np.load(out / f"{name}.npz", allow_pickle=False) as data:
        assert len(data.files) > 2
    assert json.loads((out / f"{name}.json").read_text()) == records[name]
    for row in records[name]["claims"]:
        assert row["verdict"] in (REPRODUCED, FAILED, UNDECIDED) and row["measured"] and row["effect"]


def test_claims_and_picture_follow_from_the_saved_numbers_alone(reproduced):
    """The .npz holds everything plotted."""
    out, records = reproduced
    for name in ALL:
        module = importlib.import_module(f"scripts.{name}")
        with np.load(out / f"{name}.npz", allow_pickle=False) as file:
            data = dict(file)
        assert experiment.ledger.rows(module.claims(data)) == records[name]["claims"]
        assert module.draw(data).axes


def test_keys_of_claims_are_unique(reproduced):
    keys = [row["key"] for record in reproduced[1].values() for row in record["claims"]]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_what_it_asks_where_it_is_from_and_how_to_repeat_it(reproduced, name):
    """The command of the record runs the experiment with these very settings."""
    record = reproduced[1][name]
    assert record["question"].endswith("?") and record["about"] and record["shows"].endswith(".") and record["source"]
    program, *argv = record["command"].removeprefix("python -m ").split()
    assert program == f"scripts.{name}"
    assert experiment.settings_of(experiment.arguments("", argv, names=False)) == TINY


def test_the_report_is_one_page_with_every_claim_and_picture_that_needs_nothing_from_elsewhere(reproduced):
    out, records = reproduced
    page = report.page(list(records.values()), ["e99"], "Claims & <more>", out)
    assert page.count("data:image/png;base64,") == len(ALL) and "Claims &amp; &lt;more&gt;" in page and "Did not run: e99" in page
    rows = [row for record in records.values() for row in record["claims"]]
    assert page.count('class="verdict') == 2 * len(rows)  # in the ledger and with the experiment
    assert not re.search(r"<script|src=\"http|@import|<link", page)
    assert {key for _, keys in report.EXPLANATIONS for key in keys} <= {row["key"] for row in rows}
    assert set(re.findall(r'href="#([^"]*)"', page)) == set(re.findall(r'<h2 id="([^"]*)"', page)) == set(ALL)


def test_a_network_without_hidden_layers_follows_its_linearisation():
    """T32: with a kernel that does not move, descent is (1 - (2 rate/nm) K)^steps r_0."""
    rng = np.random.default_rng(0)
    net, x, y = init([3, 1], rng), rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    trained, _ = train(net, x, y, optimiser=sgd(0.05), epochs=7, rng=None)
    start, end = t32_infinite_width.linear(tangent_kernel(net, x)[:, :, 0, 0], predict(net, x) - y, 0.05, [0, 7])
    np.testing.assert_allclose(start, predict(net, x) - y, rtol=0, atol=1e-13)
    np.testing.assert_allclose(end, predict(trained, x) - y, rtol=0, atol=1e-13)


class Elsewhere(Executor):
    """A pool on another machine, as far as a program can tell: nothing goes there or comes back but bytes."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        message = pickle.dumps((function, args, kwargs))
        try:
            does, *how = pickle.loads(message)
            future.set_result(pickle.loads(pickle.dumps(does(*how[0], **how[1]))))
        except Exception as error:  # noqa: BLE001  whatever happens there is reported here
            future.set_exception(error)
        return future


def test_any_executor_gives_the_same_bytes(reproduced, tmp_path):
    """Runs and experiments are functions of what is sent to them, and files are all that they leave."""
    names = ["e1_signal_fit", "e3_signal_confusion"]
    records, failed = carry_out(names, TINY, tmp_path, Elsewhere())
    assert not failed and records == {name: reproduced[1][name] for name in names}
    assert results(tmp_path) == {path: data for path, data in results(reproduced[0]).items() if path.split(".")[0] in names}


def test_a_second_run_writes_the_same_bytes(reproduced, tmp_path):
    """In another folder, experiments in reverse order."""
    with ThreadPoolExecutor(1) as executor:
        carry_out(ALL[::-1], TINY, tmp_path, executor)
    assert results(tmp_path) == results(reproduced[0])
    assert results(tmp_path / "runs") == results(reproduced[0] / "runs")


def test_what_is_done_is_kept_and_what_is_missing_is_redone(reproduced, monkeypatch):
    out, records = reproduced
    before = results(out)
    (out / "e4_region_growth.png").unlink()
    with ThreadPoolExecutor(1) as executor:
        monkeypatch.setattr(runs, "perform", lambda *_: pytest.fail("a run was repeated"))
        again, failed = carry_out(ALL, TINY, out, executor)
    assert not failed and again == records and results(out) == before


def test_other_settings_do_not_pass_for_done(reproduced):
    out, _ = reproduced
    assert experiment.done("e1_signal_fit", TINY, out) is not None
    assert experiment.done("e1_signal_fit", TINY._replace(seeds=(0,)), out) is None


def test_a_failing_experiment_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    module = importlib.import_module("scripts.e3_signal_confusion")
    monkeypatch.setattr(module, "measure", lambda *_: 1 / 0)
    with ThreadPoolExecutor(1) as executor:
        records, failed = carry_out(["e1_signal_fit", "e3_signal_confusion"], TINY, tmp_path, executor)
    assert failed == ["e3_signal_confusion"] and list(records) == ["e1_signal_fit"]
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert not list(tmp_path.glob("e3*"))


def test_a_failing_run_fails_the_experiments_that_need_it(tmp_path, monkeypatch):
    perform = runs.perform

    def breaks_on_l7(run, folder):
        return 1 / 0 if run.input == "L=7" else perform(run, folder)

    monkeypatch.setattr(runs, "perform", breaks_on_l7)
    with ThreadPoolExecutor(1) as executor:
        records, failed = carry_out(["e1_signal_fit", "e4_region_growth"], TINY, tmp_path, executor)
    assert failed == ["e1_signal_fit"] and list(records) == ["e4_region_growth"]


def test_exit_status_says_whether_everything_ran(tmp_path, monkeypatch, capsys):
    """Not whether the paper was right; and the ledger is written either way."""
    row = {"key": "K", "claim": "c", "measured": "m", "effect": "e", "verdict": FAILED, "why": "because", "links": []}
    record = {**experiment.described("e1_signal_fit", TINY), "claims": [row]}
    (tmp_path / "e1_signal_fit.png").touch()
    for failed, status in (([], 0), (["e5_image_hamming"], 1)):
        monkeypatch.setattr(experiment, "carry_out", lambda *_, failed=failed, **__: ({"e1_signal_fit": record}, failed))
        assert reproduce.main(["--quick", "--out", str(tmp_path)]) == status
        assert json.loads((tmp_path / "claims.json").read_text())["claims"][0]["verdict"] == FAILED
        assert "0 reproduced, 1 not reproduced" in (tmp_path / "claims.md").read_text()
        page = (tmp_path / "report.html").read_text()
        assert "1 not reproduced" in page and "<i>because</i>" in page and "*because*" in (tmp_path / "claims.md").read_text()


def test_the_command_line_runs_one_script_in_processes_of_its_own(tmp_path):
    """As a user would, with a process pool; a second call has nothing to do."""
    command = [sys.executable, "-m", "scripts.e1_signal_fit", "--quick", "--seeds", "2", "--epochs", "2", "--out", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "E1" in first.stdout and first.stderr == ""
    assert "already done" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_single_epoch_is_enough_to_run_every_experiment(tmp_path):
    """What needs more epochs is left out of the ledger; the rest is measured."""
    with ThreadPoolExecutor(1) as executor:
        rows, failed = carry_out(ALL, TINY._replace(seeds=(0,), epochs=1), tmp_path, executor)
    assert not failed and set(rows) == set(ALL)


def _heed_interrupts():
    """Tests run in the background of a shell inherit that SIGINT is ignored; a command at a terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a process group, as a terminal does")
def test_an_interrupted_run_stops_at_once_and_leaves_only_whole_files(tmp_path):
    """Ctrl-C reaches the workers too; nothing half-written stays, and the exit status says interrupted."""
    command = [sys.executable, "-m", "scripts.reproduce", "--quick", "--epochs", "60", "--workers", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=_heed_interrupts)
    assert "training runs" in process.stdout.readline()
    while not list(tmp_path.rglob("*.npz")):  # a first run is done, others are under way
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "goes on from there" in errors
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("argv", [["--seeds", "0"], ["--seed", "-1"], ["--epochs", "0"], ["--workers", "0"], ["e99"], ["--scale", "huge"]])
def test_bad_command_lines_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        reproduce.main(argv)
    assert stop.value.code == 2 and capsys.readouterr().err


def test_the_benchmark_refuses_parts_it_does_not_have(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["nothing"])
    assert "no part is called nothing" in capsys.readouterr().err


# ----------------------------------------------------------- the moving picture


def test_the_moving_picture_is_one_page_that_needs_nothing_from_elsewhere(tmp_path):
    """The same bytes twice, no address in it, and as many pictures as frames were asked for."""
    pages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert moving_picture.main(["--quick", "--frames", "3", "--out", str(folder)]) == 0
        pages.append((folder / "moving_picture.html").read_text())
    assert pages[0] == pages[1] and not re.search(r"https?://|//[a-z]+\.", re.sub(r"base64,[^\"]*", "", pages[0]))
    assert pages[0].count("data:image/png;base64,") == 3 and 'class="fa' not in pages[0]


@pytest.mark.parametrize("argv", [["--frames", "1"], ["--seed", "-1"]])
def test_the_moving_picture_refuses_bad_arguments(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        moving_picture.main(argv)
    assert stop.value.code == 2 and "must" in capsys.readouterr().err


# ---------------------------------------------------------------------- README

README = (ROOT / "README.md").read_text()


def test_the_readme_examples_run_as_printed():
    """The first ends in its own finite-difference check, the last goes on from it; the one between needs PyTorch's names."""
    first, bridge, tour = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(first.strip().splitlines()) <= 12 and first.rstrip().splitlines()[-1].startswith("assert")
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    exec(compile(tour, "README.md", "exec"), names)
    assert len(names["regions"]) > 1 and names["features"].shape == (100, 24)

    class Model:  # stands for torch.nn.Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
        def state_dict(self):
            return {"0.weight": Tensor((3, 2)), "0.bias": Tensor((3,)), "2.weight": Tensor((1, 3)), "2.bias": Tensor((1,))}

    class Tensor:
        def __init__(self, shape):
            self.numpy = lambda: np.ones(shape, np.float32)

    brought = {"model": Model(), "MLP": MLP}
    exec(compile(bridge, "README.md", "exec"), brought)
    assert predict(brought["net"], [[1.0, 1.0]]).tolist() == [[10.0]]


def test_continuous_integration_runs_the_readmes_test_command():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_pictures_of_the_readme_exist():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
