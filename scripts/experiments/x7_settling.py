"""X7. Do activation patterns settle before the weights do?

    python -m scripts.reproduce x7_settling

In training of several kinds "activation-pattern changes decay 3 times earlier than weight-update
magnitudes" (arXiv 2602.08333).  Here a 4x64 network learns 256 samples of the 14 tones, scaled to
variance 1, in 1000 full-batch steps of Adam (E1: 500).  Measured are, of every tenth step,

    flips      share of (sample, unit) pairs whose gate changes
    movement   |change of theta| / |theta|

each relative to its mean over the first 10 measured steps, as running means over 10.  Compared is
the step at which each has fallen to a tenth; one that never has counts as the end of the run.

A step that is ten times shorter flips ten times fewer gates, whichever way it goes.  So a null
stands beside: the flips by a step as long in each layer, weights and biases, but in a random
direction.

Plain descent (a quarter of the largest stable step) was tried too and left out after looking: in
1000 steps nothing falls to a tenth of its start.
"""

import numpy as np

from relu_dynamics import (
    MLP, PAPER_TONES, adam, flatten, grid, init, pattern, tones, train,
)
from scripts.lab import (
    Claim, Link, Setup, each, encoding, means, named, signal_inputs, style,
)

TITLE = "Do patterns settle before weights?"
SOURCE = "arXiv 2602.08333"
KIND = "question"
SHOWS = ("A panel an input, greens from dark to light: flips per step, movement of the "
         "weights, and flips by random steps of the same length, each relative to its start, "
         "through training; the grey line is a tenth.")
SETUPS = {
    "quick": Setup(160, (32,) * 4, 200, None, ()),
    "laptop": Setup(256, (64,) * 4, 1000, None, ()),
    "paper": Setup(1024, (128,) * 4, 5000, None, ()),
}
QUANTITIES = ("flips", "movement of weights", "flips by random steps")
EVERY, RUNNING = 10, 5  # steps between two measured ones; measured steps in a mean


def runs(_):
    return []  # single steps are needed, so the networks are trained here and not kept


def measure(settings, _):
    """values (inputs, seeds, 3, steps): QUANTITIES of the measured steps; end, of all steps."""
    names, setup = signal_inputs(settings), SETUPS[settings.scale]
    end = settings.epochs or setup.epochs
    steps = np.arange(0, end, EVERY)
    values = [[followed(settings, setup, steps, name, seed) for seed in settings.seeds]
              for name in names]
    return {"inputs": np.array(names), "steps": steps, "end": end,
            "values": np.array(values).swapaxes(-1, -2)}


def followed(settings, setup, steps, name, seed):
    """(steps, 3) QUANTITIES of one training."""
    place, rng = grid((setup.size,), settings.grid), np.random.default_rng([seed, 7])
    count = len(PAPER_TONES)
    y = tones(place, PAPER_TONES, rng.uniform(size=count)) / np.sqrt(count / 2)
    x = encoding(name)(place)
    net = init([x.shape[1], *(settings.hidden or setup.hidden), 1], rng)
    _, history = train(net, x, y, optimiser=adam(1e-3), epochs=int(steps[-1]) + 1, rng=None,
                       record=lambda _, now: now, dtype=np.float32, progress=False,
                       record_epochs=[*steps.tolist(), *(steps + 1).tolist()])
    return [step(history.records[k], history.records[k + 1], x, rng) for k in steps]


def step(before, after, x, rng):
    """QUANTITIES of one step."""
    random = MLP(*(tuple(a + turned(b - a, rng) for a, b in zip(*parts, strict=True))
                   for parts in zip(before, after, strict=True)))
    old, q = flatten(before), pattern(before, x)
    movement = np.linalg.norm(flatten(after) - old) / np.linalg.norm(old)
    return [np.mean(pattern(after, x) != q), movement, np.mean(pattern(random, x) != q)]


def turned(change, rng):
    """A change of the same length in a random direction."""
    direction = rng.standard_normal(change.shape)
    return direction * (np.linalg.norm(change) / np.linalg.norm(direction))


def relative(data):
    """(inputs, seeds, 3, steps) running means of values, relative to the first; and their steps."""
    values, width = data["values"], min(RUNNING, data["values"].shape[-1])
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=-1).mean(axis=-1)
    middle = data["steps"][: windows.shape[-1]] + EVERY * (width - 1) / 2
    return windows / np.maximum(windows[..., :1], 1e-12), middle


def to_a_tenth(data):
    """(inputs, seeds, 3): the step at which each has fallen to a tenth of its start."""
    course, middle = relative(data)
    small = course <= 0.1
    return np.where(small.any(-1), middle[small.argmax(-1)], float(data["end"]))


def claims(data):
    names, (course, _) = data["inputs"].tolist(), relative(data)
    times = np.log10(np.maximum(to_a_tenth(data), 1))
    lead = named(names, times[..., 1] - times[..., 0])
    last = np.log10(np.maximum(course[..., -1], 1e-6))
    spared = named(names, last[..., 2] - last[..., 0])
    shown = "; ".join(f"{quantity}: {means(named(names, 10**times[..., q]), '{:.0f}', log=True)}"
                      for q, quantity in enumerate(QUANTITIES)) + f" (of {data['end']})"
    return [
        Claim("X7a", "flips per step fall to a tenth of their start before the movement of the "
                     "weights does, for every input (log10 of the ratio of steps)", shown,
              each("weights > flips", lead)),
        Claim("X7b", "three times earlier, as is reported for other networks and data (log10 of "
                     "the ratio above log10 3)", shown,
              [Link(f"weights > 3 x flips, {name}", value - np.log10(3))
               for name, value in lead.items()]),
        Claim("X7c", "steps come to spare gates: at the end flips have fallen further, relative to "
                     "their start, than flips by random steps of the same length (log10 of the "
                     "ratio), for every input", means(spared), each("random > flips", spared)),
    ]


def draw(data):
    names, (course, at), times = data["inputs"].tolist(), relative(data), to_a_tenth(data)
    chosen = style.some(names, 4)
    figure, axes = style.panels((len(chosen) + 1) // 2, 2, height=2.6)
    for ax, name in zip(axes.flat, chosen, strict=False):
        for q, quantity in enumerate(QUANTITIES):
            values = course[names.index(name)][:, q].T
            style.shaded(ax, at + 1, np.maximum(values, 1e-3), style.shade(q, 3), quantity,
                         ("-", "--", ":")[q])
        ax.axhline(0.1, color="0.6", linewidth=0.8)
        style.title(ax, style.label(name))
        ax.set(yscale="log", xscale="log" if at.max() > 0 else "linear", xlabel="step of Adam")
    for ax in axes[:, 0]:
        ax.set_ylabel("per step / at the start")
    style.same_range(axes.flat[: len(chosen)])
    style.hide_empty(axes)
    style.legend_below(figure, axes[0, 0], style.BAND)

    def step(values):
        return f"{np.median(values):.0f}" if np.median(values) < data["end"] else "never"

    style.heading(figure, "Steps until flips (weights) move at a tenth of their first speed: "
                  + ", ".join(f"{name}\xa0{step(tenth[:, 0])}\xa0({step(tenth[:, 1])})"
                              for name, tenth in zip(names, times, strict=True)))
    return figure
