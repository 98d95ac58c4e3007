"""What the pictures of the experiments say and how: headings, the palette, small files."""

import io
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.image import imread

from scripts.lab import headings, png, style
from scripts.lab.inputs import in_order

NAMES = ("[-1,1]", "[0,1]", "L=3", "L=6")
ratios = st.floats(1e-5, 1e5)


def read(text):
    """What "4.1 times", "1/90 of", "0.7 of" and "about" say."""
    if text == "about":
        return 1.0
    number, word = text.replace("\xa0", "").split(" ")
    assert word in ("times", "of")
    return 1 / float(number[2:]) if number.startswith("1/") else float(number)


@given(ratios)
def test_a_ratio_in_words_is_the_ratio_to_its_first_digit(ratio):
    assert read(headings.times(ratio)) == pytest.approx(ratio, rel=0.1)


@given(ratios, ratios)
def test_the_last_is_compared_with_the_first_whichever_is_larger(first, last):
    values = {"[0,1]": np.array([first]), "L=3": np.array([0.0]), "L=6": np.array([last])}
    text = headings.against(values, "{last} leaves {times} the error of {first}", "error")
    said = re.fullmatch(r"L=6 leaves (.*) the error of \[0,1\]", text)[1]
    assert read(said) == pytest.approx(last / first, rel=0.1)


@pytest.mark.parametrize("values", [{"[0,1]": np.ones(3)},
                                    {"[0,1]": np.zeros(3), "L=6": np.ones(3)},
                                    {"[0,1]": np.ones(3), "L=6": np.full(3, np.inf)}])
def test_where_there_is_no_ratio_none_is_said(values):
    text = headings.against(values, "{last} leaves {times} the error of {first}", "error")
    assert text.startswith("error: ") and all(name in text for name in values)


@given(hnp.arrays(float, (4, 3), elements=st.floats(-1e6, 1e6)))
def test_a_ranking_names_every_median_from_the_largest_down(table):
    text = headings.ranking(dict(zip(NAMES, table, strict=True)))
    said = {re.sub(r"\xa0", "", part.replace(part.split("\xa0")[0], "", 1)).replace("−", "-"):
            part.split("\xa0")[0] for part in re.split(" [>=] ", text)}
    order = [part.split("\xa0")[0] for part in re.split(" [>=] ", text)]
    medians = dict(zip(NAMES, np.median(table, axis=1), strict=True))
    assert sorted(order) == sorted(NAMES)
    assert all(medians[above] >= medians[below] for above, below in pairwise(order))
    for number, name in said.items():
        assert float(number) == pytest.approx(medians[name], rel=0.05)


def test_images_are_counted_that_lie_on_the_side_of_the_main_one():
    low, high, same = [[1.0], [2.0]], [[2.0], [1.0]], [[1.0], [1.0]]
    assert headings.likewise(np.array([low, high, low, same]), 0) == "; likewise on 2 of 4 images"
    assert headings.likewise(np.array([low, high, low]), 1) == "; likewise on 1 of 3 images"
    assert headings.likewise(np.array([low]), 0) == ""


def test_what_is_no_input_has_no_colour_of_an_input():
    """Greens for layers and the like are further from every input's colour than any two bytes."""
    inputs = [style.colour(name) for name in in_order(
        [*(f"[{-w},{w}]" for w in (0.5, 1, 2, 3)), *(f"L={k}" for k in range(1, 17))])]
    for n in range(1, 9):
        greens = np.array([style.shade(k, n) for k in range(n)])
        assert np.abs(greens[:, None] - np.array(inputs)).max(axis=2).min() > 0.15


@given(st.integers(1, 40), st.integers(1, 6))
def test_some_of_many_are_in_order_with_both_ends(n, most):
    names = [f"L={k}" for k in range(1, n + 1)]
    chosen = style.some(names, most)
    assert len(chosen) <= most and chosen == [name for name in names if name in chosen]
    assert chosen[0] == names[0] and (most == 1 or chosen[-1] == names[-1])


@given(st.text("ab ", min_size=1, max_size=300).filter(str.strip))
def test_a_heading_keeps_every_word_and_stays_within_the_figure(text):
    figure, _ = style.panels(1, 2)
    before = figure.get_figheight()
    style.heading(figure, text)
    lines = figure.get_suptitle().split("\n")
    assert " ".join(lines).split() == text.split() or max(map(len, text.split())) > style.LETTERS
    assert max(map(len, lines)) <= style.LETTERS and figure.get_figheight() > before


# ------------------------------------------------------------------------ files


def written(figure):
    file = io.BytesIO()
    png.write(figure, file)
    return file.getvalue()


def test_a_picture_of_few_colours_keeps_every_pixel_and_one_of_many_nearly():
    """Against the pixels that matplotlib itself writes; and the same bytes every time."""
    rng = np.random.default_rng(0)
    for colours, most in ((rng.integers(0, 256, (100, 3)), 0), (None, 0.15)):
        figure, axes = style.panels(1, 1, width=2, height=2)
        axes[0, 0].remove()
        pixels = (rng.integers(0, 256, (250, 250, 3)) if colours is None else
                  colours[rng.integers(0, 100, (250, 250))])
        figure.figimage(pixels.astype(np.uint8))
        ours, theirs = written(figure), io.BytesIO()
        figure.savefig(theirs, format="png", dpi=png.DPI)
        shown, true = imread(io.BytesIO(ours)), imread(io.BytesIO(theirs.getvalue()))
        off = abs(shown[..., :3] - true[..., :3])
        assert off.max() <= most * 2 and off.mean() <= most / 2 and ours == written(figure)
