"""A line chart of shares as SVG: what the summaries of training runs draw."""

BLUE, RED, GREEN = "#2563c9", "#c2410c", "#0f7a53"


def accuracy_chart(title, series, x_label="GRPO step"):
    """series: (label or None, colour, [(step, share in 0..1), …]); a label stands at its line's end."""
    left, top, width, height = 56, 48, 560, 280
    steps = max(step for _, _, points in series for step, _ in points) or 1
    x = lambda step: left + width * step / steps
    y = lambda share: top + height * (1 - share)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 150} {top + height + 56}" '
             'font-family="system-ui, sans-serif" font-size="12" fill="#333">',
             '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="{left}" y="24" font-size="15" font-weight="600">{title}</text>']
    for percent in (0, 25, 50, 75, 100):
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(percent / 100):.1f}" y2="{y(percent / 100):.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(percent / 100) + 4:.1f}" text-anchor="end">{percent}%</text>')
    for step in range(0, steps + 1, max(1, steps // 5)):
        parts.append(f'<text x="{x(step):.1f}" y="{top + height + 20}" text-anchor="middle">{step}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 42}" text-anchor="middle">{x_label}</text>')
    for label, colour, points in series:
        line = " ".join(f"{x(step):.1f},{y(share):.1f}" for step, share in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-opacity="0.6" stroke-width="1.8"/>')
        if label:
            parts.append(f'<text x="{left + width + 8}" y="{y(points[-1][1]) + 4:.1f}" fill="{colour}">{label}</text>')
    return "\n".join(parts) + "\n</svg>\n"
