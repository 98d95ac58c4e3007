"""What do regions do while a network learns, and what can it learn because of them?

    python -m scripts.moving_picture [--seed 0] [--frames 32] [--quick] [--out out]

Networks on coordinates beside networks on an encoding, trained in full-batch steps (Adam) and drawn
at steps that lie ever further apart.  On a signal of four tones: the fit with every breakpoint,
exactly, and how fast each frequency is learned beside the spectrum of the activation pattern (T16,
T49).  On the photograph: the picture, and every region of one window of it, under the encoding too.

Writes moving_picture.html: one page with one slider; it needs nothing from elsewhere.
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from relu_dynamics import (
    Coordinates, PositionalEncoding, adam, draw as draw_regions, flatten, grid, init,
    intrinsic_rates, pattern, pattern_spectrum, photograph, predict, regions_in_encoded_window,
    regions_on_encoded_segment, tones, train, unflatten,
)
from relu_dynamics.files import replacing
from scripts.lab.headings import plain, times
from scripts.lab.style import colour, label, shade

INPUTS = {"[-1,1]": Coordinates(-1.0, 1.0), "L=4": PositionalEncoding(4)}
TONES = (1, 4, 10, 20)
SAMPLES = 256
WINDOW = ((0.375, 0.625), (0.25, 0.5))
FRAMES = {False: 32, True: 12}
PANELS = (  # (class, heading, sentence) of each, in the order of drawn
    ("wide", "What has it learned?",
     "Grey: the target, four tones. Colour: what the network says. The marks below are the places "
     "where a unit switches on or off, exactly: the first layer's dark, the second's light. "
     "Between two marks a network on coordinates is a straight line, one on the encoding a few "
     "slow waves."),
    ("wide", "What can it learn next?",
     "Dots: how fast the network, as it is now, learns each frequency by itself. Black line: the "
     "spectrum of its on-off pattern, which knows no weights, times one constant. Grey: the four "
     "tones. Where the dots lie low, a tone has to wait."),
    ("three", "The same with a photograph",
     "What networks of the same shape say after as many steps, and the photograph itself. The "
     "white square is the window below."),
    ("square", "Every region of the window",
     "Across each line a unit switches: black in the first layer, grey in the second; each region "
     "has the colour that the network gives to its middle. On coordinates the walls are straight, "
     "under the encoding they bend."),
)


def trained(widths, x, y, steps, seed):
    """The networks after each of the given numbers of steps."""
    net = init(widths, np.random.default_rng([seed, 20]))
    _, history = train(net, x, y, optimiser=adam(3e-3), epochs=steps[-1], rng=None,
                       record_epochs=steps, progress=False, record=lambda epoch, net: flatten(net))
    return [unflatten(history.records[step], net) for step in steps]


def signal(seed):
    """Positions (n, 1) and targets (n, 1)."""
    t = grid((SAMPLES,), "half-open")
    return t, tones(t, TONES, np.random.default_rng([seed, 21]).uniform(size=len(TONES)))


def image(quick):
    """Positions (n, 2), colours (n, 3), and pixels along a side."""
    side = 32 if quick else 48
    return grid((side, side), "half-open"), photograph((side, side)).reshape(-1, 3), side


def networks(seed, quick, steps):
    """For each input the networks on the signal and those on the image, one for every step."""
    hidden = (24, 24) if quick else (32, 32)
    (t, y), (pixels, colours, _) = signal(seed), image(quick)
    return {name: (trained([feed.columns(1), *hidden, 1], feed(t), y, steps, seed),
                   trained([feed.columns(2), *hidden, 3], feed(pixels), colours, steps, seed))
            for name, feed in INPUTS.items()}


# ------------------------------------------------------------------------ panels


def wide():
    figure = Figure(figsize=(4.4, 2.7), layout="constrained")
    ax = figure.subplots()
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def square():
    figure = Figure(figsize=(3.2, 3.2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return figure, ax


def fit(name, net, seed):
    """The function, its target, and a tick for every breakpoint."""
    feed, (t, y), (figure, ax) = INPUTS[name], signal(seed), wide()
    pieces = regions_on_encoded_segment(net, feed, [0.0], [1.0])
    fine = np.linspace(0, 1, 4 * SAMPLES)[:, None]
    ax.plot(t, y, color="0.75", linewidth=3)
    ax.plot(fine, predict(net, feed(fine)), color=colour(name), linewidth=1.3)
    at, first = pieces.t[1:-1], len(net.biases[0])
    for layer in (1, 0):
        ax.vlines(at[(pieces.owner >= first) == bool(layer)], -5.2 + 0.35 * layer,
                  -4.8 + 0.35 * layer, color=shade(layer, 2), linewidth=0.9)
    ax.set(xlim=(0, 1), ylim=(-5.3, 4.2), xlabel="position", ylabel="value")
    error = np.mean((predict(net, feed(t)) - y) ** 2) / np.mean(y**2)
    return figure, f"error {plain(100 * error)} % of the signal; {len(pieces.pattern)} pieces"


def rates(name, net, seed):
    """Intrinsic rates as shares of their sum, and the pattern's spectrum with one constant."""
    feed, (t, _), (figure, ax) = INPUTS[name], signal(seed), wide()
    K = intrinsic_rates(net, feed(t), (SAMPLES,))
    P = pattern_spectrum(pattern(net, feed(t)), (SAMPLES,))
    k = np.arange(1, 65)
    shown, law = (values[k] / values.sum() for values in (K, P))
    law *= np.exp(np.mean(np.log(shown / law)))
    for tone in TONES:
        ax.axvline(tone, color="0.85", linewidth=4)
    ax.plot(k, law, color="black", linewidth=1.1)
    ax.plot(k, shown, "o", color=colour(name), markersize=3.5)
    ax.set(xscale="log", yscale="log", xlim=(0.9, 70), ylim=(3e-6, 1), ylabel="rate, share of all",
           xlabel="frequency (cycles per signal)")
    ax.set_xticks([1, 4, 10, 20, 64], ["1", "4", "10", "20", "64"])
    ax.set_xticks([], minor=True)
    rate = shown[TONES[-1] - 1] / shown[TONES[0] - 1]
    return figure, f"tone {TONES[-1]} goes at {times(rate)} the rate of tone {TONES[0]}"


def picture(name, net, quick):
    feed, (pixels, colours, side) = INPUTS[name], image(quick)
    said = predict(net, feed(pixels))
    return picture_of(said, side)[0], f"{-10 * np.log10(np.mean((said - colours) ** 2)):.1f} dB"


def picture_of(colours, side):
    """Colours (n, 3) as an image, with the window marked, and no note."""
    figure, ax = square()
    ax.imshow(np.clip(colours, 0, 1).reshape(side, side, 3), extent=(0, 1, 1, 0),
              interpolation="nearest")
    (x0, x1), (y0, y1) = WINDOW
    ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=2)
    return figure, ""


def window(name, net, quick):
    """Every region of the window, filled with what the network says in the middle of it."""
    feed, (figure, ax) = INPUTS[name], square()
    regions = regions_in_encoded_window(net, feed, WINDOW)
    sub, cycles = regions.pieces, regions.cycles
    corners = sub.points[sub.edges.ravel()[cycles.half_edge]]
    sums = np.add.reduceat(corners, cycles.start[:-1], axis=0)
    middle = np.zeros((len(regions), 2))
    middle[regions.region] = sums / np.diff(cycles.start)[:, None]  # of one of its convex pieces
    draw_regions(ax, regions, np.clip(predict(net, feed(middle)), 0, 1), linewidth=0.7)
    ax.invert_yaxis()
    return figure, f"{len(regions)} regions"


def drawn(nets, k, seed, quick):
    """(panels, inputs) of (picture, note) after steps[k]."""
    signals, images = ({name: pair[part][k] for name, pair in nets.items()} for part in (0, 1))
    panels = ((fit, signals, seed, None), (rates, signals, seed, None),
              (picture, images, quick, 80), (window, images, quick, 60))
    return [[encoded(*draw(name, net, how), quality) for name, net in of.items()]
            for draw, of, how, quality in panels]


def encoded(figure, note, quality):
    """A figure as text that a page can show, lossless without a quality; and the note beside it."""
    file = io.BytesIO()
    how = {"lossless": True} if quality is None else {"quality": quality}
    figure.savefig(file, format="webp", dpi=115, pil_kwargs={**how, "method": 4})
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode(), note


# ------------------------------------------------------------------------ the page

STYLE = """
:root { color-scheme: light dark; --back: light-dark(#fff, #16181c);
        --text: light-dark(#222, #ddd); --line: light-dark(#ccc, #444) }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 900px;
       padding: 0 12px 2em; color: var(--text); background: var(--back) }
h1 { font-size: 1.4em; line-height: 1.2; margin: .6em 0 .2em }
h2 { font-size: 1.15em; margin: 1.4em 0 .1em }
p { margin: .2em 0 .6em }
.bar { position: sticky; top: 0; background: var(--back); padding: .4em 0; display: flex; gap: .6em;
       align-items: center; border-bottom: 1px solid var(--line); z-index: 1 }
.bar input { flex: 1; min-width: 0 }
.bar button { font: inherit; min-width: 4.2em; padding: .4em }
.bar output { min-width: 5.2em; text-align: right }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 10px }
.three { grid-template-columns: 1fr 1fr 1fr }
figure { margin: 0; display: flex; flex-direction: column; justify-content: end }
figcaption { font-size: .9em; margin-bottom: .2em }
figcaption b { display: block }
img { width: 100%; display: block; background: #fff; border-radius: 3px }
@media (max-width: 600px) { .wide { grid-template-columns: 1fr } }
"""
SCRIPT = """
const slider = document.querySelector("input"), button = document.querySelector("button");
const figures = [...document.querySelectorAll("figure:not(.still)")];
function show() {
  const k = +slider.value;
  document.querySelector("output").textContent = "step " + steps[k];
  figures.forEach((figure, i) => {
    const img = figure.querySelector("img"), [src, note] = frames[k][i];
    img.src = src;
    img.alt = figure.dataset.shows + ": " + note;
    figure.querySelector("span").textContent = note;
  });
}
let timer = null;
function stop() { clearInterval(timer); timer = null; button.textContent = "Play"; }
button.onclick = () => {
  if (timer) return stop();
  if (+slider.value === frames.length - 1) slider.value = 0;
  button.textContent = "Stop";
  timer = setInterval(() => {
    slider.value = +slider.value + 1; show();
    if (+slider.value === frames.length - 1) stop();
  }, 300);
};
slider.oninput = () => { stop(); show(); };
show();
"""


def page(frames, seed, quick):
    """The whole page, as text."""
    last = 400 if quick else 3000
    steps = np.unique(np.round(np.geomspace(1, last + 1, frames)).astype(int) - 1).tolist()
    nets = networks(seed, quick, steps)
    shown = [[one for panel in drawn(nets, k, seed, quick) for one in panel]
             for k in range(len(steps))]
    target, _ = encoded(*picture_of(image(quick)[1], image(quick)[2]), 80)
    still = (f'<figure class="still"><figcaption><b>photograph</b>target</figcaption>'
             f'<img alt="The photograph" src="{target}"></figure>')
    sections = "".join(
        f'<h2>{heading}</h2><p>{sentence}</p><div class="pair {kind}">'
        + "".join(figure_of(heading, label(name)) for name in INPUTS)
        + (still if kind == "three" else "") + "</div>\n" for kind, heading, sentence in PANELS)
    last = len(steps) - 1
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>Regions while a network learns</title><style>{STYLE}</style></head><body>\n"
            f"<h1>Regions while a network learns</h1>\n<p>The same small network, two hidden "
            f"layers of units that are on or off, learns the same thing twice: from coordinates, "
            f"and from sines and cosines of them (an encoding). Inside a region no unit switches. "
            f"Move the slider through training and watch the regions, the fit and the rates "
            f"together.</p>\n"
            f'<div class="bar"><button>Play</button><input type="range" min="0" max="{last}" '
            f'value="{last}" aria-label="training step"><output></output></div>\n{sections}'
            f"<script>const steps = {json.dumps(steps)}, frames = {json.dumps(shown)};{SCRIPT}"
            "</script>\n</body></html>\n")


def figure_of(heading, name):
    """One place for pictures, with its caption."""
    return (f'<figure data-shows="{heading} {name}"><figcaption><b>{name}</b><span></span>'
            f"</figcaption><img></figure>")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int,
                        help="how many steps are drawn (default: 32; 12 with --quick)")
    parser.add_argument("--quick", action="store_true", help="smaller networks, fewer steps")
    parser.add_argument("--out", type=Path, default=Path("out"),
                        help="where the page goes (default: out)")
    options = parser.parse_args(argv)
    frames = FRAMES[options.quick] if options.frames is None else options.frames
    if options.seed < 0 or frames < 2:
        parser.error("--seed must not be negative; --frames must be at least 2")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "moving_picture.html"
    with replacing(path) as file:
        file.write(page(frames, options.seed, options.quick).encode())
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
