"""The page about a network, and the choice of an encoding before training."""

import json
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imsave

from relu_dynamics import (
    MLP, Coordinates, PositionalEncoding, count_regions, dead_units, example_gradients, grid, init,
    lipschitz_bound, pattern, regions_on_encoded_segment, regions_on_segment, save, wall_length,
)
from scripts import choose, examine
from scripts.lab import examination
from scripts.lab.schedule import carry_out
from scripts.lab.settings import Settings

UNIT = ((0, 1), (0, 1))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Networks, a picture and a signal on disk."""
    folder = tmp_path_factory.mktemp("files")
    for name, widths in {"plane": [2, 8, 6, 3], "line": [1, 8, 6, 1], "encoded": [2, 8, 1],
                         "five": [5, 4, 1], "linear": [2, 3]}.items():
        save(folder / f"{name}.npz", init(widths, np.random.default_rng(0)))
    dead = init([2, 4, 4, 3], np.random.default_rng(0))
    save(folder / "dead.npz", MLP(dead.weights, tuple(b - 9 for b in dead.biases)))
    imsave(folder / "picture.png", np.random.default_rng(1).random((32, 32, 3)))
    t = (np.arange(256) + 0.5) / 256
    np.save(folder / "signal.npy", np.cos(np.pi * t))
    return folder


def examined(files, *words):
    """The numbers of every finding, without drawing."""
    options = examine.command_line().parse_args([str(files / words[0]), *words[1:]])
    return {part.key: part.numbers
            for part in examination.sections(examine.subject_of(options), options.regions)}


# --------------------------------------------------------------------------- the page


def test_the_page_needs_no_other_file_and_agrees_with_its_numbers(files, tmp_path):
    assert examine.main([str(files / "plane.npz"), "--image", str(files / "picture.png"), "--out",
                         str(tmp_path)]) == 0
    page = (tmp_path / "examine.html").read_text()
    numbers = json.loads((tmp_path / "examine.json").read_text())
    assert set(re.findall(r'src="(.{11})', page)) == {"data:image/"} and "http" not in page
    found = [part["finding"] for part in numbers.values() if isinstance(part, dict)]
    assert len(found) == 10 and page.count("<h2") == 10
    assert numbers["regions"]["finding"] == f"{numbers['regions']['regions']} regions in the window"


def test_findings_are_those_of_the_package(files):
    """Regions, walls, dead units and norms of the network in the unit square."""
    net, numbers = examine.load(files / "plane.npz"), examined(files, "plane.npz")
    assert numbers["regions"]["regions"] == count_regions(net, UNIT)
    assert numbers["walls"]["total"] == pytest.approx(wall_length(net, UNIT).length)
    assert numbers["norms"]["steepest"] <= numbers["norms"]["bound"] == lipschitz_bound(net)
    dead = dead_units(pattern(net, grid((128, 128), "half-open")))
    assert sum(numbers["units"]["never_on"]) == dead.sum()


def test_stretched_coordinates_are_the_network_in_the_stretched_window(files):
    net = examine.load(files / "plane.npz")
    numbers = examined(files, "plane.npz", "--encoding", "[-1,1]")
    assert numbers["regions"]["regions"] == count_regions(net, ((-1, 1), (-1, 1)))


def test_one_coordinate_gets_its_pieces_along_the_segment(files):
    net = examine.load(files / "line.npz")
    assert examined(files, "line.npz", "--window", "-2", "3")["regions"]["regions"] == len(
        regions_on_segment(net, [-2], [3]))
    waves = examine.load(files / "encoded.npz")  # two inputs: L=1 of one coordinate
    numbers = examined(files, "encoded.npz", "--encoding", "L=1", "--signal",
                       str(files / "signal.npy"))
    assert numbers["regions"]["regions"] == len(
        regions_on_encoded_segment(waves, PositionalEncoding(1), [0], [1]))
    assert np.all(numbers["rates"]["rates"] > 0)


def test_the_page_says_why_a_window_was_made_smaller(files, tmp_path):
    save(tmp_path / "waves.npz", init([16, 4, 1], np.random.default_rng(0)))
    whole = examined(files, "plane.npz")["regions"]
    small = examined(files, "plane.npz", "--regions", "5")["regions"]
    wide = examined(tmp_path, "waves.npz", "--encoding", "L=4")["regions"]
    assert whole["problem"] == "" and whole["window"] == whole["asked"]
    assert "max_regions = 5" in small["problem"] and "shortest wave" in wide["problem"]


def test_a_window_of_too_many_regions_is_made_smaller_about_its_centre(files):
    most = 5
    numbers = examined(files, "plane.npz", "--regions", str(most))["regions"]
    window, asked = np.array(numbers["window"]), np.array(numbers["asked"])
    np.testing.assert_array_equal(window.mean(axis=1), asked.mean(axis=1))
    assert (np.ptp(window, axis=1) < np.ptp(asked, axis=1)).all()
    assert numbers["regions"] <= most < count_regions(examine.load(files / "plane.npz"), asked)


@pytest.mark.parametrize("name", ["line", "plane"])
def test_the_exact_spectrum_is_that_of_dense_samples_at_low_frequencies(files, name):
    """A sum over samples tends to the integral over pieces."""
    subject = examine.subject_of(examine.command_line().parse_args([str(files / f"{name}.npz")]))
    part, regions, _ = examination.enumerated(subject, 10_000)
    exact = examination.exact_energy(part, regions)
    np.testing.assert_allclose(exact[:3], examination.sampled_energy(subject)[:3], rtol=0.05)


@pytest.mark.parametrize("name, more", [
    ("dead", ["--image", "picture.png"]), ("plane", []), ("line", []),
    ("encoded", ["--encoding", "L=1", "--signal", "signal.npy"])])
def test_everything_found_can_be_drawn(files, name, more):
    """Of a network that is dead, too."""
    words = [str(files / word) if "." in word else word for word in [f"{name}.npz", *more]]
    options = examine.command_line().parse_args(words)
    for part in examination.sections(examine.subject_of(options), options.regions):
        assert part.title and "nan" not in part.title + part.text
        for panel in part.panels:
            panel.draw(Figure().subplots())


def test_a_dead_network_has_one_region_and_learns_nothing_but_the_mean(files):
    numbers = examined(files, "dead.npz", "--image", str(files / "picture.png"))
    assert numbers["regions"]["regions"] == 1 and sum(numbers["units"]["never_on"]) == 8
    assert numbers["rates"]["times"] == np.inf


@pytest.mark.parametrize("words, said", [
    (["none.npz"], "No such file"),
    (["picture.png"], "not a saved network"),
    (["five.npz"], "5 inputs; 1 or 2 can be examined"),
    (["five.npz", "--encoding", "L=2"], "makes 4 of one coordinate and 8 of two"),
    (["plane.npz", "--encoding", "L=99"], "an input is"),
    (["linear.npz"], "no hidden layer"),
    (["plane.npz", "--window", "0", "1"], "--window must be x0 x1 y0 y1"),
    (["plane.npz", "--window", "1", "0", "0", "1"], "from lower to higher"),
    (["plane.npz", "--regions", "0"], "at least 1"),
    (["plane.npz", "--signal", "signal.npy"], "learns a picture"),
    (["line.npz", "--image", "picture.png"], "learns a signal"),
    (["plane.npz", "--image", "signal.npy"], "cannot be read as a picture"),
    (["dead.npz", "--image", "none.png"], "cannot be read as a picture"),
])
def test_what_cannot_be_examined_is_one_line_and_status_2(files, tmp_path, capsys, words, said):
    paths = [str(files / word) if "." in word else word for word in words]
    with pytest.raises(SystemExit) as left:
        examine.main([*paths, "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().err.splitlines()
    assert left.value.code == 2 and len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_picture_must_have_as_many_channels_as_the_network_outputs(files, tmp_path):
    save(tmp_path / "grey.npz", init([2, 4, 1], np.random.default_rng(0)))
    with pytest.raises(ValueError, match="1 output, and .* 3 channels"):
        examined(tmp_path, "grey.npz", "--image", str(files / "picture.png"))


# ------------------------------------------------------------------------- the choice


def cosines(n):
    """(n, n): the orthonormal cosine transform, written out."""
    k, i = np.arange(n)[:, None], np.arange(n)
    return np.sqrt(np.where(k == 0, 1, 2) / n) * np.cos(np.pi * k * (i + 0.5) / n)


@pytest.mark.parametrize("shape", [(12,), (4, 4)])
def test_rates_are_the_energies_of_the_gradients_cosine_transform(shape):
    """diag(C J J^T C^T), J the Jacobian of all samples."""
    feed, n, d = Coordinates(-1, 1), shape[0], len(shape)
    net = init([d, 6, 5, 1], np.random.default_rng([3, 30]))
    J = example_gradients(net, feed(grid(shape, "half-open")))[:, 0]
    C = cosines(n) if d == 1 else np.kron(cosines(n), cosines(n))
    np.testing.assert_allclose(choose.rates_of("[-1,1]", shape, (6, 5), 3),
                               ((C @ J) ** 2).sum(axis=1), rtol=1e-9, atol=1e-12)


def test_beyond_the_kernel_rates_are_the_spectrum_of_the_pattern(monkeypatch):
    monkeypatch.setattr(choose, "KERNEL_SAMPLES", 0)
    monkeypatch.setattr(choose, "UNITS", 4)
    net = init([2, 6, 5, 1], np.random.default_rng([3, 30]))
    q = pattern(net, grid((4, 6), "half-open"))
    np.testing.assert_allclose(choose.rates_of("[0,1]", (4, 6), (6, 5), 3),
                               ((np.kron(cosines(4), cosines(6)) @ q) ** 2).sum(axis=1), atol=1e-5)


def test_a_signal_needs_the_frequencies_that_hold_its_energy():
    """Two cosines: nine tenths of the energy at 3/2 cycles, a tenth at 20."""
    wave = 3 * cosines(256)[3] + cosines(256)[40]
    assert choose.need(wave[:, None], 0.89, None).cycles == 1.5
    assert choose.need(wave[:, None], 0.91, None).cycles == 20
    plane = np.add.outer(cosines(32)[3], cosines(32)[0] + 7)[:, :, None]  # 7 is the mean
    assert choose.need(plane, 0.99, None).cycles == 1.5


def slow_for(wave, *inputs):
    """Of small networks fed with each input: slowness, frequencies; and the cycles needed."""
    known = choose.need(wave[:, None], 0.99, None)
    slow = {name: choose.slowness_of(name, known, 1, (24, 24), 2) for name in inputs}
    return slow, choose.bands((known.size,))[1], known.cycles


def test_higher_frequencies_need_more_of_an_encoding_and_the_lowest_need_none():
    inputs, waves = ("[0,1]", *(f"L={k}" for k in range(1, 8))), cosines(128)
    said = [choose.verdict(*slow_for(waves[k], *inputs), 20) for k in (1, 8, 24)]
    assert said[0].startswith("No encoding is needed: coordinates [0,1]")
    middle, high = (int(re.match(r"L=(\d+) is the smallest", text)[1]) for text in said[1:])
    assert 1 <= middle < high


def test_where_no_input_is_flat_the_flattest_is_named():
    said = choose.verdict(*slow_for(cosines(128)[60], "[0,1]", "L=1", "L=2"), 10)
    assert "No input here is flat" in said and "L=2 is the flattest" in said


def test_the_choice_is_written_with_its_picture(files, tmp_path):
    assert choose.main(["--image", str(files / "picture.png"), "--inputs", "L=2", "[0,1]",
                        "--hidden", "8", "--seeds", "1", "--out", str(tmp_path)]) == 0
    numbers = json.loads((tmp_path / "choose.json").read_text())
    assert list(numbers["times_slower"]) == ["[0,1]", "L=2"] and numbers["samples"] == 32
    assert all(min(times) == 1 for times in numbers["times_slower"].values())
    assert (tmp_path / "choose.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words, said", [
    (["--signal", "none.npy"], "cannot be read as a signal"),
    (["--image", "signal.npy"], "cannot be read as a picture"),
    (["--signal", "signal.npy", "--inputs", "L=0"], "an input is"),
    (["--signal", "signal.npy", "--inputs", "2^3 x 2"], "an input is"),
    (["--signal", "signal.npy", "--inputs", "L=10"], "fewer than two samples"),
    (["--signal", "signal.npy", "--size", "257"], "--size must be from 64 to 256"),
    (["--signal", "signal.npy", "--seeds", "0"], "at least 1"),
    (["--signal", "signal.npy", "--share", "1"], "between 0 and 1"),
    (["--signal", "signal.npy", "--factor", "1"], "above 1"),
])
def test_what_cannot_be_chosen_is_one_line_and_status_2(files, tmp_path, capsys, words, said):
    paths = [str(files / word) if word.endswith("npy") else word for word in words]
    with pytest.raises(SystemExit) as left:
        choose.main([*paths, "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().err.splitlines()
    assert left.value.code == 2 and len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------- another machine


@pytest.mark.filterwarnings("default")  # of a cluster's own parts
def test_experiments_run_on_a_dask_cluster(tmp_path):
    """Workers are processes of their own that can import scripts."""
    distributed = pytest.importorskip("dask.distributed", reason="dask.distributed is not there")
    settings = Settings("quick", (0, 1), epochs=2, hidden=(16,) * 4)
    with (distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
          as cluster, distributed.Client(cluster) as client):
        records, failed = carry_out(["e1_signal_fit"], settings, tmp_path, client.get_executor())
    assert not failed and list(records) == ["e1_signal_fit"]
    assert (tmp_path / "e1_signal_fit.json").exists()
