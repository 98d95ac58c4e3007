"""T32. Does a fixed kernel, the network's first or the infinitely wide network's, follow the real
network?

    python -m scripts.reproduce t32_infinite_width

The same gradient descent three times, on ten tones: the real network; the network made
linear at its start, whose residual is (1 - (2 rate/nm) K_0)^steps r_0 exactly; and the same
with the kernel of the infinitely wide network, scaled to the trace of K_0, in place of K_0.
(In one dimension the biases of the first layer count, so that kernel gets the constant 1 as
another input column; deeper biases have no weight in the limit of this initialisation.)
Measured per tone, with how far the real kernel drifts and how it turns towards the target:

    drift = |K_t - K_0| / |K_0|        alignment = <K_t, y y^T> / (|K_t| |y|^2)

The rate is a tenth of what would make the fastest mode of K_0 unstable; the kernel grows, and at
half of it networks under L=7 died.
"""

import numpy as np

from relu_dynamics import (
    flatten, frequency_error, grid, infinite_kernels, init, predict, sgd, tangent_kernel, train,
    unflatten,
)
from scripts.lab import (
    Claim, Setup, chain, coordinates, each, encoding, encodings, means, named, ordered, samples,
    signal_inputs, signal_setup, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import strongest

TITLE = "Fixed kernels against the real network"
SOURCE = "statements T31 and T32"
KIND = "question"
SHOWS = ("Above, the error per tone of the real network (black) and of two fixed kernels given "
         "the same steps (grey, dashed and dotted) for the first input and the last, and how "
         "far the real kernel drifts. Below, how far the two predictions come off through "
         "training, and how the kernel turns towards the target, a line an input.")
TONES = tuple(range(5, 51, 5))
LAPTOP = Setup(128, (64, 64, 64), 3000, None, ())
SETUPS = {"quick": Setup(128, (32, 32), 200, None, ()), "laptop": LAPTOP, "paper": LAPTOP}
PREDICTIONS = ("real network", "linear at the start", "infinite width")


def runs(settings):
    return []  # gradient descent on a few samples, not the runs of the other experiments


def measure(settings, folder):
    """error (inputs, seeds, predictions, stages, tones); drift, alignment (inputs, seeds, stages);
    steps (stages,)."""
    setup = signal_setup(settings, SETUPS)
    setup = setup._replace(epochs=settings.epochs or setup.epochs,
                           hidden=settings.hidden or setup.hidden)
    kept = sorted({0, *(s for s in (1, 3, 10, 30, 100, 300, 1000) if s < setup.epochs),
                   setup.epochs})
    signal = settings.signal.signal if settings.signal else "tones to 50"
    error, drift, alignment = [], [], []
    for name in signal_inputs(settings):
        taken = []
        for seed in settings.seeds:
            rng = np.random.default_rng([seed, 32])
            y = samples(signal, (setup.size,), rng, folder)
            ks = strongest(y, 10) if settings.signal else TONES
            taken.append(one_run(name, y, rng, setup.hidden, kept, ks))
        for table, part in zip((error, drift, alignment), zip(*taken, strict=True), strict=True):
            table.append(part)
    return {"inputs": np.array(signal_inputs(settings)), "tones": np.array(ks),
            "steps": np.array(kept), "error": np.array(error),
            "drift": np.array(drift), "alignment": np.array(alignment)}


def one_run(name, y, rng, hidden, kept, ks):
    """error (predictions, stages, tones), drift and alignment (stages,)."""
    x = encoding(name)(grid((len(y),), "half-open"))
    net = init([x.shape[1], *hidden, 1], rng)
    K = tangent_kernel(net, x)[:, :, 0, 0]
    wide = infinite_kernels(np.hstack([x, np.ones((len(x), 1))]), hidden_layers=len(hidden)).ntk
    rate = 0.1 * len(x) / np.linalg.eigvalsh(K)[-1]  # at ten times this the fastest mode diverges
    _, history = train(net, x, y, optimiser=sgd(rate), epochs=kept[-1], rng=None,
                       record=lambda epoch, net: flatten(net),
                       record_epochs=kept, progress=False)
    nets = [unflatten(history.records[step], net) for step in kept]
    real = [predict(each, x) for each in nets]
    outputs = [real, *([y + each for each in linear(kernel, real[0] - y, rate, kept)]
                       for kernel in (K, wide * np.trace(K) / np.trace(wide)))]
    error = [[frequency_error(f, y, (len(y),))[list(ks)] for f in each] for each in outputs]
    kernels = [tangent_kernel(each, x)[:, :, 0, 0] for each in nets]
    drift = [np.linalg.norm(each - K) / np.linalg.norm(K) for each in kernels]
    alignment = [float(y[:, 0] @ each @ y[:, 0] / (np.linalg.norm(each) * np.sum(y**2)))
                 for each in kernels]
    return np.array(error), np.array(drift), np.array(alignment)


def linear(kernel, residual, rate, kept):
    """The residuals after the kept numbers of steps of descent with a constant kernel."""
    values, vectors = np.linalg.eigh(kernel)
    modes = vectors.T @ residual
    return [vectors @ ((1 - 2 * rate / len(residual) * values)[:, None] ** step * modes)
            for step in kept]


def claims(data):
    names, error = data["inputs"].tolist(), data["error"]
    few, many = coordinates(names), encodings(names)
    drift = {name: by[:, -1] for name, by in zip(names, data["drift"], strict=True)}
    turned = {name: by.T[[0, -1]] for name, by in zip(names, data["alignment"], strict=True)}
    end = error[:, :, :, -1].mean(axis=3)
    ahead = {name: by[:, 1] - by[:, 0] for name, by in zip(names, end, strict=True)}
    off = abs(error[:, :, 1:, -1] - error[:, :, :1, -1]).mean(axis=3)
    worse = {name: by[:, 1] - by[:, 0] for name, by in zip(names, off, strict=True)}
    return [
        Claim("T32a", "the kernel does not stay: drift above 0.1 at the end, for every input",
              means(drift),
              each("drift > 0.1", drift, lambda d: np.log10(d / 0.1))),
        Claim("T32b", "the kernel turns towards the target: alignment at the end > at the start, "
                      "for every input (log10 of the ratio)",
              means(turned), each("end > start", turned, lambda a: np.log10(a[1] / a[0]))),
        Claim("T32c", "the real network learns tones that its linearisation leaves: mean relative "
                      "error, linear - real, above zero, "
              "for every input", means(ahead), each("linear > real", ahead)),
        ordered("T32d", "the kernel drifts more for coordinates: {}", chain(few[:1], *many[-2:]),
                drift, log=True),
        Claim("T32e", "the infinite width predicts the tones worse than the network's own first "
                      "kernel (mean distance from the real error), "
              "for every input", means(worse), each("infinite > own", worse)),
    ]


def draw(data):
    """Above: tones of the first and the last input, and drift; below: when the predictions come
    off, and alignment."""
    names, steps = data["inputs"].tolist(), np.maximum(data["steps"], 0.5)
    figure, axes = style.panels(2, 3, height=2.7)
    looks = (("black", "-"), ("0.35", "--"), ("0.6", ":"))
    for ax, name in zip(axes[0], dict.fromkeys((names[0], names[-1])), strict=False):
        end = data["error"][names.index(name)][:, :, -1].swapaxes(0, 1)
        for (colour, line), what, values in zip(looks, PREDICTIONS, end, strict=True):
            style.shaded(ax, data["tones"], values.T, colour, what, line)
        style.title(ax, f"{name}, {data['steps'][-1]} steps")
        ax.set_xlabel("tone k (cycles per signal)")
    style.same_range(axes[0, :2], 0)
    axes[0, 0].set_ylabel("relative error of a tone")
    off = abs(data["error"][:, :, 1:] - data["error"][:, :, :1]).mean(axis=4)
    shown = ((axes[0, 2], data["drift"], "drift |K − K₀| / |K₀|"),
             (axes[1, 0], off[:, :, 0], "off: linear at the start"),
             (axes[1, 1], off[:, :, 1], "off: infinite width"),
             (axes[1, 2], data["alignment"], "alignment with the target"))
    for ax, table, text in shown:
        for name, by_seed in zip(names, table, strict=True):
            style.with_band(ax, steps, by_seed.T, name)
        style.title(ax, text)
        ax.set_xscale("log")
        ax.set_xlabel("steps (0 shown at 0.5)")
    axes[0, 2].set_yscale("symlog", linthresh=0.01)
    axes[0, 2].set_ylim(0)
    axes[1, 0].set_ylabel("distance from the real\nerror, mean over tones")
    style.same_range(axes[1, :2], -0.03)
    style.legend_below(figure, (axes[0, 0], axes[0, 2]), style.BAND)
    style.hide_empty(axes)
    style.heading(figure, f"After {data['steps'][-1]} steps the kernel has drifted by "
                  + ranking(named(names, data["drift"][..., -1])) + " times its size")
    return figure
