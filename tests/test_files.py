"""Networks on disk and from elsewhere: what comes back is what went, and what is not a network is
refused."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from relu_dynamics.checks import MAX_PARAMETERS
from relu_dynamics.files import from_torch, load, replacing, save
from relu_dynamics.mlp import MLP, init
from relu_dynamics.testing import gaussian_nets, lattice_nets



@given(st.one_of(lattice_nets(), gaussian_nets()))
def test_load_undoes_save_and_equal_networks_make_equal_files(tmp_path_factory, net):
    folder = tmp_path_factory.mktemp("nets")
    save(folder / "a.npz", net)
    save(folder / "b.npz", MLP(*(tuple(part.copy(order="F") for part in parts) for parts in net)))
    back = load(folder / "a.npz")
    for ours, theirs in zip([*back.weights, *back.biases], [*net.weights, *net.biases],
                            strict=True):
        assert_array_equal(ours, theirs)
    with np.load(folder / "a.npz") as file:
        assert file.files == [f"{kind}{k}" for k in range(len(net.weights)) for kind in "Wb"]
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["a.npz", "b.npz"]


def test_float32_networks_stay_float32_on_disk(tmp_path):
    net = init([2, 3, 1], np.random.default_rng(0))
    save(tmp_path / "net.npz",
         MLP(*(tuple(part.astype(np.float32) for part in parts) for parts in net)))
    assert load(tmp_path / "net.npz").weights[0].dtype == np.float32


def corrupt(content):
    return lambda path: path.write_bytes(content(path.read_bytes()))


def zip_of_text(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("W0", "text")


@pytest.mark.parametrize(
    "damage",
    [
        corrupt(lambda old: old[: len(old) // 2]),
        corrupt(lambda old: b""),
        corrupt(lambda old: b"not a zip file"),
        corrupt(lambda old: old.replace(b"NUMPY", b"NUMBY")),
        lambda path: np.savez(path, W0=np.eye(2)),
        lambda path: np.savez(path, W1=np.eye(2), b1=np.zeros(2)),
        lambda path: np.savez(path, W0=np.eye(2), b0=np.zeros(3)),
        lambda path: np.savez(path, W0=np.eye(2), b0=np.array([0, np.nan])),
        lambda path: np.savez(path, W0=np.eye(2), b0=np.array([None, None]), allow_pickle=True),
        lambda path: np.savez(path, W0=np.array(["a"]), b0=np.zeros(1)),
        corrupt(lambda old: np.lib.format.magic(1, 0)),
        zip_of_text,
    ],
)
def test_what_is_not_a_saved_network_is_refused(tmp_path, damage):
    path = tmp_path / "net.npz"
    save(path, init([2, 3, 1], np.random.default_rng(0)))
    damage(path)
    with pytest.raises(ValueError, match="not a saved network|net\\."):
        load(path)


def test_a_plain_array_file_is_not_a_network(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(2))
    with pytest.raises(ValueError, match="not a saved network"):
        load(tmp_path / "x.npy")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_one_clear_error_or_the_network(compressed, tmp_path):
    """Any byte turned over: zipfile, zlib and NumPy each fail in ways of their own."""
    net = init([2, 3, 1], np.random.default_rng(0))
    (np.savez_compressed if compressed else np.savez)(tmp_path / "net.npz", W0=net.weights[0],
                                                      b0=net.biases[0], W1=net.weights[1],
                                                      b1=net.biases[1])
    whole = (tmp_path / "net.npz").read_bytes()
    for place in range(0, len(whole), 8):
        (tmp_path / "damaged.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF])
                                               + whole[place + 1 :])
        try:
            assert isinstance(load(tmp_path / "damaged.npz"), MLP)
        except ValueError as error:
            assert "is not a saved network" in str(error) or "must" in str(error)


def test_a_link_goes_on_pointing_and_the_file_keeps_its_mode(tmp_path):
    """Through a link to a link, relative, and into a folder of its own."""
    (tmp_path / "kept").mkdir()
    target, link = tmp_path / "kept" / "net.npz", tmp_path / "link.npz"
    link.symlink_to(Path("kept") / "net.npz")
    (tmp_path / "second.npz").symlink_to(link)
    net = init([2, 3, 1], np.random.default_rng(0))
    for mode in (None, 0o640, 0o444):
        if mode is not None:
            target.chmod(mode)
        save(tmp_path / "second.npz", net)
        assert link.is_symlink() and not target.is_symlink() and os.listdir(
            tmp_path / "kept") == ["net.npz"]
        assert_array_equal(load(target).weights[0], net.weights[0])
        assert mode is None or target.stat().st_mode & 0o777 == mode


def test_names_may_be_as_long_as_the_system_allows(tmp_path):
    path = tmp_path / ("n" * 251 + ".npz")
    save(path, init([2, 3, 1], np.random.default_rng(0)))
    assert load(path).weights[0].shape == (3, 2)


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="path must be a file"):
            save(path, init([2, 3, 1], np.random.default_rng(0)))
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("shape", [(MAX_PARAMETERS + 1, 1), (2**60, 2**60)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_too_many_parameters_are_refused_by_the_headers_before_they_are_read(tmp_path, shape,
                                                                             version):
    """The arrays themselves are missing here, which reading them would find first."""
    header = io.BytesIO()
    write = np.lib.format.write_array_header_1_0 if version == (
        1, 0) else np.lib.format.write_array_header_2_0
    write(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "net.npz", "w") as archive:
        for name in ("W0", "b0"):
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(ValueError,
                       match="is not a saved network.* must be at most 268435456"):
        load(tmp_path / "net.npz")


# ----------------------------------------------------------------- from PyTorch


class Tensor:
    """As much of a tensor as is asked for: numbers that must be detached and brought to main memory
    first."""

    def __init__(self, numbers, place="gpu, needs grad"):
        self.numbers, self.place = np.asarray(numbers), place
        self.shape, self.dtype = self.numbers.shape, f"torch.{self.numbers.dtype}"

    def detach(self):
        return Tensor(self.numbers, "gpu")

    def cpu(self):
        return Tensor(self.numbers, "cpu" if self.place == "gpu" else "cpu, needs grad")

    def numpy(self):
        assert self.place == "cpu"
        return self.numbers  # shares memory, as PyTorch does

    def new_tensor(self, numbers):
        return Tensor(np.array(numbers, self.numbers.dtype))


class Module:
    """A module of the class named, with children by name, parameters by name, and a forward
    method."""

    def __new__(cls, kind="Model", *args, **kwargs):
        return super().__new__(type(kind, (cls,), {}))

    def __init__(self, kind, children=(), parameters=(), forward=None):
        self._modules, self.parameters = dict(children), dict(parameters)
        self.forward = forward or self.chain

    def chain(self, x):
        for child in self._modules.values():
            x = child(x)
        return x

    def __call__(self, x):
        return self.forward(x)

    def state_dict(self):
        inside = {f"{name}.{key}": t for name, child in self._modules.items()
                  for key, t in child.state_dict().items()}
        return {**self.parameters, **inside}


def applied(f):
    return lambda x: Tensor(f(x.numbers))


def linear(W, b=None):
    weight, bias = Tensor(W.copy()), Tensor(np.zeros(len(W), W.dtype) if b is None else b.copy())
    parameters = {"weight": weight, **({} if b is None else {"bias": bias})}
    return Module("Linear", (), parameters, applied(lambda x: x @ weight.numbers.T + bias.numbers))


def relu():
    return Module("ReLU", forward=applied(lambda x: np.maximum(x, 0)))


def other(kind, f=np.tanh):
    return Module(kind, forward=applied(f))


def sequential(*modules):
    return Module("Sequential", {str(k): module for k, module in enumerate(modules)})


def parts(net):
    """Linear, ReLU, Linear, ... of a network."""
    layers = [linear(W, b) for W, b in zip(*net, strict=True)]
    return [part for layer in layers for part in (layer, relu())][:-1]


@given(gaussian_nets(), st.integers(0, 3), st.booleans())
def test_a_model_becomes_the_network_that_it_is_however_it_is_nested(net, cut, wrapped):
    """And so does its state_dict, with any prefix; what the model learns later changes nothing."""
    net = MLP(*(tuple(part.astype(np.float32) for part in parts) for parts in net))
    modules = parts(net)
    cut = min(cut, len(modules) - 1)
    model = sequential(sequential(*modules[:cut]), other("Identity", lambda x: x),
                       *modules[cut:]) if cut else sequential(*modules)
    if wrapped:
        model = Module("DataParallel", {"module": Module("Model", {"net": model})})
    read = [from_torch(model), from_torch(model.state_dict())]
    assert read == [net, net] and read[0].weights[0].dtype == np.float32
    for tensor in model.state_dict().values():
        tensor.numbers += 1
    assert read == [net, net] != [from_torch(model), from_torch(model)]


NET = init([2, 3, 4, 1], np.random.default_rng(0))
FIRST, RELU, SECOND, _, LAST = parts(NET)


def test_missing_biases_are_zeros():
    W = NET.weights
    expected = MLP(W, (NET.biases[0], np.zeros(4), np.zeros(1)))
    assert from_torch(sequential(FIRST, relu(), linear(W[1]), relu(), linear(W[2]))) == expected


def in_forward(f, *layers):
    """A model whose forward method decides what is done with its layers."""
    return Module("Model", {f"layer{k}": layer for k, layer in enumerate(layers)}, forward=f)


def test_a_model_that_applies_relu_in_its_forward_method_is_told_by_its_outputs():
    rectified = lambda x: Tensor(np.maximum(x.numbers, 0))
    assert from_torch(
        in_forward(lambda x: LAST(rectified(SECOND(rectified(FIRST(x))))), FIRST, SECOND,
                   LAST)) == NET


@pytest.mark.parametrize("model, message", [
    (sequential(FIRST, relu(), SECOND, relu(), LAST, other("Sigmoid")),
     "Got Sigmoid at '5'.*apply it to what predict returns"),
    (sequential(FIRST, other("Tanh"), SECOND, relu(), LAST), "Got Tanh at '1'"),
    (sequential(FIRST, other("LeakyReLU"), SECOND, relu(), LAST), "Got LeakyReLU at '1'"),
    (sequential(sequential(FIRST, relu()), sequential(SECOND, LAST)),
     "two Linears in a row, '1.0' and '1.1'"),
    (sequential(FIRST, relu(), relu(), SECOND), "two ReLUs in a row"),
    (sequential(FIRST, relu(), SECOND, relu()), "end with a Linear layer. Got a ReLU at '3'"),
    (sequential(relu(), FIRST), "begin and end with a Linear layer. Got a ReLU at '0'"),
    (sequential(FIRST, relu(), LAST), "layer '2' takes 4 inputs, and '0' before it has 3 outputs"),
    (in_forward(lambda x: LAST(SECOND(FIRST(x))), FIRST, SECOND, LAST),
     "at 16 random inputs it does not"),
    (in_forward(lambda x: Tensor(1 / (1 + np.exp(-FIRST(x).numbers))), FIRST),
     "at 16 random inputs it does not"),
    (in_forward(lambda x: Tensor(FIRST(x).numbers[:, :1]), FIRST),
     "at 16 random inputs it does not"),
    (in_forward(lambda x: FIRST(Tensor(x.numbers[:, :1])), FIRST), "Calling it failed"),
    (Module("Model", {"a": linear(np.eye(2)), "b": linear(2 * np.ones((2, 2)))},
            forward=lambda x: linear(np.eye(2))(relu()(linear(2 * np.ones((2, 2)))(x)))),
     "at 16 random inputs"),
    ({"2.weight": np.eye(2), "0.weight": np.eye(2)}, "Got '2' before '0'"),
    ({"0.weight": np.eye(2), "1.running_mean": np.zeros(2)}, "Got '1.running_mean'"),
    ({"0.weight": np.eye(2), "1.weight": np.ones(2)}, "1.weight must be an array .* of shape"),
    ({"0.weight": np.eye(2), "0.bias": np.ones(3)}, "net.biases"),
    ({"0.bias": np.ones(3)}, "a weight for every layer"), ({}, "a weight for every layer"),
    ({"state_dict": {"0.weight": np.eye(2)}}, "Got 'state_dict', dict"),
    ({"0.weight": [[np.nan]]}, "Got nan"), (None, "a PyTorch model or its state_dict"),
    (NET, "a PyTorch model or its state_dict"),
])
def test_what_is_not_linear_and_relu_in_turn_is_refused_in_words(model, message):
    with pytest.raises(ValueError, match=message):
        from_torch(model)


def test_a_model_without_numbers_is_refused():
    """As PyTorch's "meta" device has them."""
    class Nowhere(Tensor):
        def cpu(self):
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")

        detach = cpu

    with pytest.raises(ValueError, match="model must hold its numbers. .*'0.weight' failed"):
        from_torch({"0.weight": Nowhere(np.ones((1, 1)))})


def test_numbers_without_a_numpy_type_are_widened():
    class Bfloat16(Tensor):
        def __init__(self, numbers, place="gpu, needs grad"):
            super().__init__(np.asarray(numbers, np.float32), place)
            self.dtype = "torch.bfloat16"

        detach = cpu = lambda self: self

        def numpy(self):
            raise TypeError("Got unsupported ScalarType BFloat16")

        def float(self):
            return Tensor(self.numbers, "cpu")

    assert from_torch({"0.weight": Bfloat16([[0.5]])}) == MLP((np.array([[0.5]]),), (np.zeros(1),))
