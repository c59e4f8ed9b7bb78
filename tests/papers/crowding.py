"""What a reader could not read in a figure."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def crowding(fig):
    """Return sentences: texts on one another or outside, legends on curves. Not in space.

    Labels of ticks are left out: matplotlib keeps some that it does not show.
    """
    fig.set_dpi(72)  # what is compared does not depend on it, the time does
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer = canvas.get_renderer()
    flat = [ax for ax in fig.axes if ax.name != "3d"]
    hidden = {fig._suptitle}  # its second line, empty, is where the subtitle stands
    for ax in fig.axes:
        axes = [ax.xaxis, ax.yaxis] if ax in flat else [ax.xaxis, ax.yaxis, ax.zaxis]
        hidden |= set(ax.texts) if ax not in flat else set()
        for axis in axes:
            for tick in (*axis.majorTicks, *axis.minorTicks):
                hidden |= {tick.label1, tick.label2}
    found = []
    texts = [t for t in fig.findobj(Text) if t.get_text().strip() and t not in hidden]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_visible()]
    for (one, a), (two, b) in combinations(boxes, 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if min(width, height) > 1 and width * height > 0.1 * min(
            a.width * a.height, b.width * b.height
        ):
            found.append(f"{one!r} on {two!r}")
    for text, box in boxes:
        if box.x0 < 0 or box.y0 < 0 or box.x1 > fig.bbox.width or box.y1 > fig.bbox.height:
            found.append(f"{text!r} outside")
    for ax in flat:
        if (legend := ax.get_legend()) is not None:
            box = legend.get_window_extent(renderer)
            for line in ax.lines:
                points = line.get_transform().transform(line.get_xydata())
                inside = (points > (box.x0, box.y0)) & (points < (box.x1, box.y1))
                if inside.all(axis=1).any():
                    found.append(f"legend {legend.texts[0].get_text()!r} on {line.get_label()!r}")
    return found
