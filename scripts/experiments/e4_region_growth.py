"""E4. How many activation regions do the pixels of an image fall into, and how does training change
it?

    python -m scripts.reproduce e4_region_growth

Number of different activation patterns over all pixels, for a 4x128 network on a 64x64
random image and on a photograph.  A region that no pixel hits is not counted, and when
every pixel has its own pattern the count cannot grow.  Epoch 0 is before training (the
paper's "epoch 0" is our epoch 1).
"""

from relu_dynamics import sampled_regions
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, every, image_runs, image_setup, means, named,
    ordered, over_checkpoints, rise, style,
)
from scripts.lab.headings import ranking

TITLE = "Activation regions sampled at the pixels"
SOURCE = "the paper's act_regions_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("The number of different activation patterns at the pixels, one line an input: on one "
         "image through training, and on every image at the end. Where every pixel has a "
         "pattern of its own, at the grey line, the count is saturated.")


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds): regions; and how many pixels there are."""
    table = over_checkpoints(image_runs(settings), folder, lambda trained,
                             net: sampled_regions(net, trained.x))
    return {**table, "pixels": image_setup(settings).size ** 2}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    few, many, pixels = coordinates(names), encodings(names), int(data["pixels"])
    saturated = " ≥ ".join(reversed(many[1:]))  # may all have reached the number of pixels
    order = chain(saturated, *reversed(few + many[:1]))
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        count = named(names, table)
        trained = {name: values[epochs >= 1] for name, values in count.items()}
        start = {name: count[name][epochs <= 1] for name in few}
        later = {name: trained[name] for name in few}
        result += [
            ordered("E4a", f"{{}} regions {every(epochs[epochs >= 1])}", order, trained,
                    margin=pixels / 100, form="{:.0f}", image=image),
            Claim("E4b", "the first epoch lowers the count for coordinates", means(start, "{:.0f}"),
                  each("before > after the first epoch",
                       {name: values[0] - values[-1] for name, values in start.items()}),
                  image=image),
            Claim("E4c", "the count for coordinates grows after the first epoch",
                  means(later, "{:.0f}"),
                  each("last > first epoch", later, rise), image=image),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 2, height=3.0)
    names, shown = data["inputs"].tolist(), style.main_image(data["images"].tolist())
    style.trained_images(axes[0], data, data["values"], "patterns at the pixels")
    for ax in axes.flat:
        ax.axhline(data["pixels"], color="0.6", linewidth=0.8, zorder=0)
        ax.set_ylim(0, data["pixels"] * 1.12)
    axes[0, 0].annotate(f"{data['pixels']} pixels", (0.02, data["pixels"]), (0, 2),
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        va="bottom", fontsize="small", color="0.4")
    style.legend_below(figure, axes.flat[0], style.LINES_AND_DOTS)
    style.heading(figure, f"{data['images'][shown]}: patterns at the end, at {data['pixels']} "
                  f"pixels: " + ranking(named(names, data["values"][shown, :, -1]), "{:.0f}"))
    return figure
