"""T18, T19. How fast do walls move, where, and how much of what is learned is due to them?

    python -m scripts.reproduce t18_moving_walls

A two-layer network learns the fourteen tones in full-batch steps (Adam), every one of which
is kept.  Between any two of the kept networks the change of f is split exactly: what the old
activation patterns would have done with the new parameters, and what is due to samples that
a wall has swept over, so that units switched there (T19).  The share of the latter in the
learning of each tone depends on how often the pattern is renewed: a window of one step, of
ten, of fifty, of all.  (Per step it vanishes with the step size: the flow is continuous.)

Beside it, exactly: where the breakpoints are, also under encodings, and how fast gradient
flow moves each (T18), against the squared error in sixteenths of the signal.
"""

import numpy as np
import scipy.fft

from relu_dynamics import (
    PAPER_TONES, Walls, adam, flatten, forward, grid, init, pattern, predict,
    regions_on_encoded_segment, train, unflatten, wall_velocity,
)
from scripts.lab import (
    Claim, Setup, each, encoding, encodings, means, named, rank_correlation, samples,
    signal_inputs, signal_setup, style,
)
from scripts.lab.rates import strongest

TITLE = "Moving walls and switching units"
SOURCE = "statements T18 and T19"
KIND = "question"
SHOWS = ("Above, how much of the learning of each tone is due to units that switched, the longer "
         "the old pattern is held "
         "against the new. Below, where breakpoints are, how fast they move, and where the error "
         "is.")
WINDOWS = (1, 10, 50, None)  # steps; None: the whole training
PARTS = 16                   # of the signal
LAPTOP = Setup(512, (64, 64), 500, None, ())
SETUPS = {"quick": Setup(256, (32, 32), 100, None, ()), "laptop": LAPTOP, "paper": LAPTOP}


def runs(settings):
    return []  # every step is needed, so the networks are trained here and not kept


def measure(settings, folder):
    """flips (inputs, seeds, windows, tones): share of what was learned of each tone; learned
    (inputs, seeds, tones): its share of the tone; counts (inputs, seeds, stages); correlation
    (inputs, seeds, 2): of a part's error with the speed of its breakpoints and with the number it
    gains; error, speed and number (inputs, stages, parts) of the first seed; steps (stages,)."""
    setup = signal_setup(settings, SETUPS)
    n, epochs = setup.size - setup.size % PARTS, settings.epochs or setup.epochs
    hidden = settings.hidden or setup.hidden
    kept = sorted({0, *(e for e in (1, 10, 50, 100, 200, 300, 400) if e < epochs), epochs})
    table = {key: [] for key in ("flips", "learned", "counts", "correlation", "error", "speed",
                                 "number")}
    for name in signal_inputs(settings):
        rows = {key: [] for key in table}
        for seed in settings.seeds:
            rng = np.random.default_rng([seed, 18])
            t = grid((n,), "half-open")
            y = samples(settings.signal.signal if settings.signal else "tones", (n,), rng, folder)
            x, ks = encoding(name)(t), strongest(y) if settings.signal else PAPER_TONES
            nets = every_step(init([x.shape[1], *hidden, 1], rng), x, y, epochs)
            flips, learned = shares(nets, x, y, ks)
            walls = [of_walls(nets[step], name, x, y) for step in kept]
            error, speed, number = (np.array(values) for values in zip(*walls, strict=True))
            for key, value in (("flips", flips), ("learned", learned),
                               ("counts", number.sum(axis=1)),
                               ("correlation", correlations(error, speed, number)),
                               ("error", error), ("speed", speed), ("number", number)):
                rows[key].append(value)
        for key in ("flips", "learned", "counts", "correlation"):
            table[key].append(rows[key])
        for key in ("error", "speed", "number"):
            table[key].append(rows[key][0])
    return {"inputs": np.array(signal_inputs(settings)), "tones": np.array(ks),
            "steps": np.array(kept),
            "windows": np.array([min(w or epochs, epochs) for w in WINDOWS]),
            **{key: np.array(value) for key, value in table.items()}}


def every_step(net, x, y, epochs):
    """The networks before training and after every full-batch step."""
    _, history = train(net, x, y, optimiser=adam(1e-3), epochs=epochs, rng=None,
                       record=lambda epoch, net: flatten(net), progress=False)
    return [unflatten(history.records[epoch], net) for epoch in range(epochs + 1)]


def shares(nets, x, y, ks):
    """(windows, tones) share of flips in the energy of each tone that was learned, and (tones,)
    that energy over the tone's.

    |r'|^2 - |r|^2 = (r' - r).(r' + r) is linear in the parts of r' - r at given r and r', so the
    split is exact.  The part of flips is f' less what the new parameters give with the old pattern.
    """
    def spectrum(signal):
        return scipy.fft.rfft(signal[:, 0], norm="ortho")[list(ks)]

    traces = (forward(net, x) for net in nets)
    f, q = zip(*((trace.preacts[-1], pattern(nets[0], trace)) for trace in traces), strict=True)
    r = [spectrum(outputs - y) for outputs in f]
    learned = abs(r[0]) ** 2 - abs(r[-1]) ** 2
    result = []
    for window in WINDOWS:
        steps = [*range(0, len(nets) - 1, window or len(nets) - 1), len(nets) - 1]
        due = np.zeros(len(ks))
        for start, end in zip(steps[:-1], steps[1:], strict=True):
            flips = spectrum(f[end] - predict(nets[end], x, q[start]))
            due -= (flips.conj() * (r[start] + r[end])).real
        result.append(due / learned)
    return np.array(result), learned / abs(spectrum(y)) ** 2


def of_walls(net, name, x, y):
    """(parts,) each: mean squared error, median speed of the breakpoints (NaN without any), and
    their number."""
    feed = encoding(name)
    pieces = regions_on_encoded_segment(net, feed, [0.0], [1.0])
    t = pieces.t[1:-1, None]
    velocity = wall_velocity(net, x, y, Walls(feed(t), pieces.owner),
                             along=feed.jacobian(t)[:, :, 0])
    part = np.minimum((t[:, 0] * PARTS).astype(int), PARTS - 1)
    speed = np.array([np.median(abs(velocity[part == p])) if (part == p).any() else np.nan
                      for p in range(PARTS)])
    error = ((predict(net, x) - y) ** 2).reshape(PARTS, -1).mean(axis=1)
    return error, speed, np.bincount(part, minlength=PARTS)


def correlations(error, speed, number):
    """Spearman's, over the parts: of error with speed, mean over the stages; of the mean error with
    the number gained."""
    moving = [rank_correlation(e[known], v[known]) for e, v in zip(error, speed, strict=True)
              if (known := np.isfinite(v)).sum() > 2]
    gained = rank_correlation(error.mean(axis=0), number[-1] - number[0])
    return np.mean(moving) if moving else 0.0, gained


def claims(data):
    names, learned = data["inputs"].tolist(), data["learned"]
    flips = named(names, data["flips"])
    weight = learned / learned.sum(axis=2, keepdims=True)
    overall = {name: (flips[name] * w[:, None]).sum(axis=2).T
               for name, w in zip(names, weight, strict=True)}  # (windows, seeds)
    single, fifty = ({name: by[w] for name, by in overall.items()} for w in (0, 2))
    half, top = len(data["tones"]) // 2, encodings(names)[-1:]
    later, whole = ({name: flips[name][:, w, half:].mean(axis=1)
                     - flips[name][:, w, :half].mean(axis=1) for name in top} for w in (2, 3))
    faster, gained = ({name: by[:, k] for name, by in zip(names, data["correlation"], strict=True)}
                      for k in (0, 1))
    highest = "".join(f" ({name})" for name in top)
    return [
        Claim("T19a", "in single steps slopes on fixed pieces do the learning: switching units "
                      "account for less than 5 % of it", means(single),
              each("0.05 > |share|", single, lambda s: 0.05 - abs(s)),
              why="The share vanishes with the step size only: a step of Adam sweeps walls over "
                  "samples, and there works against itself"),
        Claim("T19b", "over fifty steps switching units account for a positive share of what is "
                      "learned", means(fifty), each("share", fifty)),
        Claim("T19c", f"and for a larger share at high tones than at low{highest}: upper half > "
                      f"lower half", means(later),
              each("upper > lower half", later)),
        Claim("T19d", f"so it is over the whole training{highest}: upper half > lower half",
              means(whole), each("upper > lower half", whole)),
        Claim("T18a", "gradient flow moves walls faster where the error is larger: rank "
                      "correlation over sixteenths of the signal above zero",
              means(faster), each("rank correlation", faster)),
        Claim("T18b", "walls gather where the error is: rank correlation of the mean error with "
                      "the breakpoints gained above zero",
              means(gained), each("rank correlation", gained)),
    ]


def draw(data):
    """Above: the share due to switching units, by tone, per window; below: breakpoints, error and
    speed along the signal."""
    names, windows = data["inputs"].tolist(), data["windows"].tolist()
    figure, axes = style.panels(2, 4, width=3.1, height=2.8)
    for ax, w in zip(axes[0], range(len(windows)), strict=True):
        for name, flips, learned in zip(names, data["flips"], data["learned"], strict=True):
            known = (learned > 0.1).all(axis=0)
            if known.any():
                style.with_band(ax, data["tones"][known], flips[:, w, known].T, name)
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.set_yscale("symlog", linthresh=1)
        ax.set_xlim(0, 1.07 * data["tones"].max())
        ax.set_title(f"pattern renewed every\n{windows[w]} step{'s' * (windows[w] > 1)}",
                     loc="left", fontsize="medium")
        ax.set_xlabel("tone k (cycles per signal)")
    style.same_range(axes[0])
    for ax in axes[0]:
        low, high = ax.get_ylim()
        shown = [tick for tick in (-10, -3, -1, -0.5, 0, 0.5, 1, 3, 10) if low <= tick <= high]
        ax.set_yticks(shown, [f"{tick:g}".replace("-", "−") for tick in shown])
    axes[0, 0].set_ylabel("share of learning due to\nswitching units (learned tones)")
    spots = (np.arange(PARTS) + 0.5) / PARTS
    for ax, key, label in ((axes[1, 0], "number", "breakpoints per sixteenth"),
                           (axes[1, 1], "error", "mean squared error"),
                           (axes[1, 2], "speed",
                            "median speed of breakpoints\n(signals / unit of time; gap: none)")):
        for name, values in zip(names, data[key], strict=True):
            ax.plot(spots, values[-1], marker=".", markersize=3, linewidth=1.3, **style.look(name))
        ax.set_yscale("symlog", linthresh=1) if key == "number" else ax.set_yscale("log")
        ax.set_xlabel("position in the signal")
        ax.set_ylabel(label)
        ax.set_ylim(0 if key == "number" else None)
        ax.set_title("at the end, first seed", loc="left", fontsize="medium")
    for name, counts in zip(names, data["counts"], strict=True):
        style.with_band(axes[1, 3], np.maximum(data["steps"], 0.5), counts.T, name)
    axes[1, 3].set_xscale("log")
    axes[1, 3].set_yscale("log")
    axes[1, 3].set_xlabel("steps (0 shown at 0.5)")
    axes[1, 3].set_ylabel("breakpoints in the signal")
    axes[1, 3].set_title("exact number", loc="left", fontsize="medium")
    style.legend_below(figure, axes[1, 3], style.BAND)
    return figure
