"""What is this network?

    python -m scripts.examine net.npz
    python -m scripts.examine net.npz --encoding L=6 --image photo.jpg
    python -m scripts.examine net.npz --window -1 1 -1 1 --out results

One page about a network of one or two inputs, or of one or two coordinates behind an encoding: its
regions in a window, what it shows, dead units, norms, distances to walls, its spectrum.  With the
picture or the signal that it learns, also the kernel's spectrum, gradient confusion of near and far
pairs, and the rate of every frequency.

net.npz is a file that save(path, net) writes; a PyTorch model is saved with
save("net.npz", from_torch(model)).  The window is in the coordinates that are fed to the network
or, with --encoding, in those that are encoded; the samples of a picture lie in [0, 1].  A window
with too many regions is made smaller around its centre, and the page says so.

Writes examine.html, which needs no other file, and examine.json, its numbers.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relu_dynamics import MLP, Coordinates, area_average, load, restrict
from relu_dynamics.encoding import Encoding
from scripts.lab import ledger, own_data, report, style
from scripts.lab.examination import TRAINED, Panel, Section, Subject, sections, spelled
from scripts.lab.inputs import encoding

# ------------------------------------------------------------------------ the page

STYLE = report.STYLE + """
body { max-width: 62em; } .panels { display: flex; flex-wrap: wrap; gap: 1em; }
.panels figure { flex: 1 1 20em; max-width: 28em; margin: 0; }
.panels img { width: 100%; max-width: 100%; border-radius: 4px; }
.panels figcaption { font-weight: normal; color: var(--quiet); }
"""


def page(title: str, about: str, sections: Sequence[Section]) -> str:
    """The whole page, as text."""
    body = "".join(
        f'<h2 id="{part.key}">{html.escape(part.title)}</h2><p>{html.escape(part.text)}</p>'
        f'<div class="panels">{"".join(map(picture, part.panels))}</div>' for part in sections)
    points = "".join(f'<li><a href="#{part.key}">{html.escape(part.title)}</a></li>'
                     for part in sections)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{html.escape(title)}</h1><p>{html.escape(about)}</p><ul>{points}</ul>
{body}
</body></html>
"""


def picture(panel: Panel) -> str:
    """One panel as a figure of the page."""
    figure, axes = style.panels(1, 1, width=4.6, height=3.6)
    panel.draw(axes[0, 0])
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=140, metadata={"Software": None})
    caption = html.escape(panel.caption)
    return (f'<figure><img alt="{caption}" src="data:image/png;base64,'
            f'{base64.b64encode(file.getvalue()).decode()}"><figcaption>{caption}</figcaption>'
            "</figure>")


def plain(value: Any) -> Any:
    """Numbers as JSON can hold them; those that are not finite as words."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else str(float(value))
    return value.item() if isinstance(value, np.generic) else value


# ------------------------------------------------------------------ the command line


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page about the network that the command line names; 2 and one line if that cannot
    be done."""
    parser = command_line()
    options = parser.parse_args(argv)
    try:
        subject = subject_of(options)
        found = list(sections(subject, options.regions))
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    about = (f"{subject.net!r}, fed with {options.encoding or 'coordinates as they are'}"
             + (f", learning {options.image or options.signal}" if options.image or options.signal
                else "") + ".")
    options.out.mkdir(parents=True, exist_ok=True)
    ledger.write_text(options.out / "examine.html",
                      page(f"The network {options.net.name}", about, found))
    ledger.write_json(options.out / "examine.json", {
        "network": str(options.net), "widths": [len(b) for b in subject.net.biases],
        "encoding": options.encoding,
        **{part.key: {"finding": part.title, **plain(part.numbers)} for part in found}})
    for part in found:
        print(part.title)
    print(options.out / "examine.html")
    return 0


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.examine", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path, metavar="NET.npz", help="a file from save(path, net)")
    parser.add_argument("--encoding", metavar="NAME",
                        help="its input encoding: L=6, or [-1,1] for unit coordinates mapped to it")
    parser.add_argument("--window", type=float, nargs="+", metavar="X",
                        help="x0 x1 y0 y1, or x0 x1 for one coordinate (default: 0 to 1); "
                             "negative numbers without an exponent")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--image", type=Path, metavar="FILE",
                        help="the picture it learns: its largest centred square")
    target.add_argument("--signal", type=Path, metavar="FILE",
                        help="the signal it learns, with mean 0 and variance 1")
    parser.add_argument("--regions", type=int, default=20000, metavar="N",
                        help="with more regions the window is made smaller (default: 20000)")
    parser.add_argument("--out", type=Path, default=Path("out"),
                        help="where the page goes (default: out)")
    return parser


def subject_of(options: argparse.Namespace) -> Subject:
    """The network and its surroundings.  ValueError, in words, for what cannot be examined."""
    try:
        net = load(options.net)
    except OSError as error:
        raise ValueError(f"{options.net}: {error.strerror}") from None
    net = MLP(*(tuple(part.astype(np.float64) for part in parts) for parts in net))
    feed = None if options.encoding is None else encoding(options.encoding)
    d = coordinates_of(net, feed, options.encoding)
    given = options.window or [0.0, 1.0] * d
    if len(given) != 2 * d:
        raise ValueError(f"--window must be {'x0 x1 y0 y1' if d == 2 else 'x0 x1'} for {d} "
                         f"coordinate{'s' * (d > 1)}. Got {len(given)} numbers")
    window = np.reshape(given, (d, 2))
    if not (np.isfinite(window).all() and (window[:, 0] < window[:, 1]).all()):
        raise ValueError(f"--window must go from lower to higher. Got {spelled(window)}")
    if options.regions < 1:
        raise ValueError("--regions must be at least 1")
    shape, target = target_of(options, d, len(net.biases[-1]))
    flat = net if feed is None else None
    if isinstance(feed, Coordinates):
        flat = restrict(net, np.full(d, feed.low), (feed.high - feed.low) * np.eye(d))
    return Subject(net, feed, flat, window, window, shape, target)


def coordinates_of(net: MLP, feed: Encoding | None, name: str | None) -> int:
    """How many coordinates the network has, 1 or 2."""
    inputs = net.weights[0].shape[1]
    if len(net.weights) < 2:
        raise ValueError("the network has no hidden layer, so one region: the whole plane")
    for d in (1, 2):
        if inputs == (d if feed is None else feed.columns(d)):
            return d
    if feed is None:
        raise ValueError(f"the network has {inputs} inputs; 1 or 2 can be examined. If they are "
                         "encoded coordinates, name the encoding: --encoding L=6. A plane of more "
                         "inputs is examined as a network of its own: restrict(net, origin, axes)")
    raise ValueError(f"the network has {inputs} inputs, but {name} makes {feed.columns(1)} of one "
                     f"coordinate and {feed.columns(2)} of two")


def target_of(options: argparse.Namespace, d: int,
              outputs: int) -> tuple[tuple[int, ...], np.ndarray | None]:
    """Shape and values, (n, m), of the picture or signal, averaged down."""
    path = options.image or options.signal
    if path is None:
        return (), None
    if (d == 2) != bool(options.image):
        raise ValueError(f"a network of {d} coordinate{'s' * (d > 1)} learns a "
                         f"{'picture: --image' if d == 2 else 'signal: --signal'}")
    if options.image:
        values = own_data.centred_square(own_data.read_picture(path) / 65535)
    else:
        values = own_data.read_signal(path)
    if values.shape[-1] != outputs:
        raise ValueError(f"the network has {outputs} output{'s' * (outputs > 1)}, and {path} "
                         f"{values.shape[-1]} channels")
    shape = (min(TRAINED[d], len(values)),) * d
    values = area_average(values, shape)
    return shape, (values if d == 2 else own_data.standardised(values)).reshape(-1, outputs)


if __name__ == "__main__":
    sys.exit(main())
