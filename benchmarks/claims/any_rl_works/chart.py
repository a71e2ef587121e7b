"""Small multiples as SVG: a panel per method, its seeds as thin lines and their mean as a thick one, the best method's mean behind for comparison."""

from plot import BLUE

WIDTH, HEIGHT, GAP_X, GAP_Y, LEFT, TOP, COLUMNS = 210, 130, 34, 52, 52, 64, 4
GREY = "#b8b8b8"


def mean_curve(curves, points=40):
    """The mean over seeds, each interpolated at the same numbers of tokens."""
    end = min(curve[-1][0] for curve in curves)
    return [(end * i / points, sum(at(curve, end * i / points) for curve in curves) / len(curves)) for i in range(points + 1)]


def at(curve, tokens):
    for (x0, y0, *_), (x1, y1, *_) in zip(curve, curve[1:]):
        if tokens <= x1:
            return y0 + (y1 - y0) * (tokens - x0) / (x1 - x0)
    return curve[-1][1]


def accuracy_grid(title, panels):
    """panels: [(name, [[(tokens, share, …), …] per seed]), …]."""
    end = max(curve[-1][0] for _, curves in panels for curve in curves)
    means = {name: mean_curve(curves) for name, curves in panels}
    best = max(means.values(), key=lambda mean: mean[-1][1])
    rows = -(-len(panels) // COLUMNS)
    width, height = LEFT + COLUMNS * (WIDTH + GAP_X), TOP + rows * (HEIGHT + GAP_Y)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" '
             'font-size="11" fill="#333">', '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{title}</text>',
             f'<text x="{LEFT}" y="42" fill="#777">thin: one seed; thick: mean; grey: the mean of the method that ends highest; '
             'x: thousands of sampled tokens</text>']
    for number, (name, curves) in enumerate(panels):
        left, top = LEFT + number % COLUMNS * (WIDTH + GAP_X), TOP + number // COLUMNS * (HEIGHT + GAP_Y) + 14
        points = lambda line: " ".join(f"{left + WIDTH * x / end:.1f},{top + HEIGHT * (1 - y):.1f}" for x, y, *_ in line)
        draw = lambda line, colour, thick, opacity: parts.append(
            f'<polyline points="{points(line)}" fill="none" stroke="{colour}" stroke-width="{thick}" stroke-opacity="{opacity}"/>')
        parts.append(f'<text x="{left}" y="{top - 6}" font-weight="600">{name}</text>'
                     f'<text x="{left + WIDTH}" y="{top - 6}" text-anchor="end">{100 * means[name][-1][1]:.0f}%</text>')
        for percent in (0, 50, 100):
            y = top + HEIGHT * (1 - percent / 100)
            parts.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y}" y2="{y}" stroke="#e2e2e2"/>')
            if number % COLUMNS == 0:
                parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{percent}%</text>')
        for share in (0, 0.5, 1):
            parts.append(f'<text x="{left + WIDTH * share}" y="{top + HEIGHT + 15}" text-anchor="middle" fill="#777">{end * share / 1000:.0f}</text>')
        draw(best, GREY, 1.6, 1)
        for curve in curves:
            draw(curve, BLUE, 1, 0.45)
        draw(means[name], BLUE, 2.4, 1)
    return "\n".join(parts) + "\n</svg>\n"
