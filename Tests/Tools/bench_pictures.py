"""The pictures of `make bench`, as SVG. They have a background of their own, so that they can be read wherever they are shown."""
import html
import math

LINES = {
    "process": "fork, exit and wait, among n processes",
    "mapping": "mmap and munmap of a page, among n mappings",
    "first-touch": "first touch of a page of an object of n pages, each",
    "name": "shm_open of a name, among n",
    "sharer": "first touch of a page that n others share",
    "taking-away": "ftruncate of pages that n share, each page of each",
    "destruction": "last close of an object of n pages, each",
    "descriptor": "fork, exit and wait with n descriptors, each",
    "unmapping": "munmap of n pages that are there, each",
}
COLOURS = ["#c0392b", "#2980b9", "#27ae60", "#8e44ad", "#d4a017", "#16a085", "#8e6f3e", "#d35400", "#7f8c8d"]

STYLE = """<style>
text { fill: #24292f } .ground { fill: #ffffff } .grid { stroke: #d8dee4 } .one { stroke: #57606a }
.faster { fill: #2980b9 } .slower { fill: #d35400 } .failed { fill: #c0392b }
@media (prefers-color-scheme: dark) {
  text { fill: #d0d7de } .ground { fill: #0d1117 } .grid { stroke: #30363d } .one { stroke: #8b949e } .failed { fill: #ff7b72 }
}
</style>
"""


def picture(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="sans-serif" font-size="11">\n{STYLE}<rect class="ground" width="100%" height="100%"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{html.escape(words)}</text>'


def rule(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bars(panels):
    """A bar for each row, from 1 to its ratio, on a logarithmic scale; a panel for each set of rows."""
    names, plot, step, top, gap = 285, 225, 15, 62, 10
    ratios = [row.ratio for _, rows in panels for row in rows if row.ratio]
    low, high = math.floor(math.log10(min(ratios))), math.log10(max(2, max(ratios)) * 1.15)
    scale = lambda ratio: (math.log10(ratio) - low) / (high - low) * plot  # noqa: E731
    bottom = top + step * max(len(rows) for _, rows in panels)
    parts = [text(10, 20, "Instructions that Martlet takes, as a multiple of the lower of FreeBSD and Linux (logarithmic)",
                  extra=' font-size="14"')]
    for index, (title, rows) in enumerate(panels):
        left = index * (names + plot + gap) + names
        parts.append(text(left - names + 10, 42, title, extra=' font-weight="bold"'))
        for ratio in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10):
            if low <= math.log10(ratio) <= high:
                x = left + scale(ratio)
                parts.append(rule(x, top - 4, x, bottom, "one" if ratio == 1 else "grid"))
                parts.append(text(x, top - 7, f"{ratio:g}", "middle", ' font-size="9"'))
        for place, row in enumerate(rows):
            y = top + step * place
            parts.append(text(left - 6, y + 11, row.name, "end"))
            if row.ratio is None:
                parts.append(f'<text class="failed" x="{left + 4}" y="{y + 11}">failed</text>')
                continue
            one, end = left + scale(1), left + scale(row.ratio)
            kind = "slower" if row.ratio > 1 else "faster"
            x, length = min(one, end), max(abs(end - one), 0.5)
            parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y + 2}" width="{length:.1f}" height="11">'
                         f'<title>{html.escape(row.name)}: {row.figure:,} to {row.others:,}</title></rect>')
            parts.append(text(end + 4, y + 11, f"{row.ratio:.2f}", extra=' font-size="9"') if row.ratio > 1 else
                         text(end - 4, y + 11, f"{row.ratio:.2f}", "end", ' font-size="9"'))
    return picture(2 * (names + plot) + gap + 30, bottom + 15, parts)


def spread(places, distance):
    """The places of labels, moved down until none is nearer to the one above than the distance."""
    moved, last = {}, -math.inf
    for key, y in sorted(places.items(), key=lambda place: place[1]):
        last = moved[key] = max(y, last + distance)
    return moved


def lines(points, references):
    """Cost against size, both logarithmic: a line for each thing, FreeBSD's points as rings in its colour."""
    left, top, width, height, right = 60, 40, 420, 420, 330
    most_size = max(size for line in points.values() for size, _ in line)
    most_cost = max(cost for line in [*points.values(), *references.values()] for _, cost in line)
    decades, rows = math.ceil(math.log10(most_size)), math.ceil(math.log10(most_cost))
    x_of = lambda size: left + math.log10(size) / decades * width  # noqa: E731
    y_of = lambda cost: top + height - max(0, math.log10(max(cost, 1))) / rows * height  # noqa: E731
    parts = [text(10, 20, "Instructions an operation takes, against how many there are (both logarithmic); rings: FreeBSD",
                  extra=' font-size="14"')]
    for power in range(decades + 1):
        parts.append(rule(x_of(10**power), top, x_of(10**power), top + height, "grid"))
        parts.append(text(x_of(10**power), top + height + 16, f"{10**power:,}", "middle"))
    for power in range(rows + 1):
        parts.append(rule(left, y_of(10**power), left + width, y_of(10**power), "grid"))
        parts.append(text(left - 6, y_of(10**power) + 4, f"{10**power:,}", "end"))
    parts.append(text(left + width / 2, top + height + 34, "n", "middle"))
    labels = spread({line: y_of(points[line][-1][1]) for line in LINES if points[line]}, 15)
    for colour, (line, title) in zip(COLOURS, LINES.items()):
        if not points[line]:
            continue
        path = " ".join(f"{x_of(size):.1f},{y_of(cost):.1f}" for size, cost in points[line])
        end_x, end_y = path.split()[-1].split(",")
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<polyline points="{end_x},{end_y} {left + width + 8},{labels[line]:.1f}" fill="none" stroke="{colour}" '
                     'stroke-width="1" stroke-dasharray="2 3"/>')
        parts.append(text(left + width + 12, labels[line] + 4, title))
        for size, cost in references.get(line, []):
            parts.append(f'<circle cx="{x_of(size):.1f}" cy="{y_of(cost):.1f}" r="4" fill="none" stroke="{colour}" '
                         'stroke-width="1.5"/>')
    return picture(left + width + right, top + height + 45, parts)
