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
from scripts.lab.headings import ranking
from scripts.lab.rates import strongest

TITLE = "Moving walls and switching units"
SOURCE = "statements T18 and T19"
KIND = "question"
SHOWS = ("Above, the share of the learning that is due to units that switched, a line an "
         "input, the longer the old pattern is held against the new, and by tone. Below, how "
         "walls' speed and the walls gained go with the error along the signal, as rank "
         "correlations, and the exact number of walls through training.")
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
    """Above: the share due to switching units, by window and by tone; below: what walls do where
    the error is, and how many there are."""
    names, windows = data["inputs"].tolist(), data["windows"]
    figure, axes = style.panels(2, 2, height=2.8)
    (by_window, by_tone), (related, number) = axes
    weight = data["learned"] / data["learned"].sum(axis=2, keepdims=True)
    overall = (data["flips"] * weight[:, :, None]).sum(axis=3)  # (inputs, seeds, windows)
    held = min(2, len(windows) - 1)
    for i, name in enumerate(names):
        style.with_band(by_window, windows, overall[i].T, name)
        known = (data["learned"][i] > 0.1).all(axis=0)
        if known.any():
            style.with_band(by_tone, data["tones"][known], data["flips"][i, :, held, known], name)
        style.with_band(number, np.maximum(data["steps"], 0.5), data["counts"][i].T, name)
    by_window.set_xscale("log")
    by_window.set_xticks(windows, windows)
    by_window.set_xticks([], minor=True)
    by_window.set_xlabel("steps for which the pattern is held")
    style.title(by_window, "of all that is learned")
    by_tone.set_xlabel("tone k (those that are learned)")
    style.title(by_tone, f"by tone, held for {windows[held]} steps")
    by_window.set_ylabel("share due to switching units")
    for ax in axes[0]:
        ax.axhline(0, color="0.6", linewidth=0.8)
        style.signed(ax)
    moved = named(names, data["correlation"].swapaxes(1, 2))  # (2, seeds) each
    style.over_images(related, ["speed of walls", "walls gained"], moved,
                      "rank correlation with\nthe error, over the signal")
    related.axhline(0, color="0.6", linewidth=0.8)
    style.title(related, "walls where the error is")
    number.set(xscale="log", yscale="log", xlabel="steps (0 shown at 0.5)")
    style.title(number, "walls along the signal, exactly")
    style.legend_below(figure, number, style.LINES_AND_DOTS)
    style.heading(figure, f"Share of what is learned that is due to units switching within "
                  f"{windows[held]} steps: " + ranking(named(names, overall[..., held])))
    return figure
