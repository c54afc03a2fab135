"""A table or board in Markdown as a page of its own, which Snakemake's report can show (docs/report.md)."""

from collections.abc import Callable
from pathlib import Path

from thinksafe.files import write_text

STYLE = (
    "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;margin:1rem;color:#1d1d1f}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.8rem 0}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid #d9d9de;vertical-align:top}th{background:#f5f5f7}"
)


def show_table(
    md: str, title: str, output: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Write a Markdown file of ours as HTML; of the markup in it underlining and line breaks alone are let through."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    body = parser.render(Path(md).read_text(encoding="utf-8"))
    for tag in ("<u>", "</u>", "<br>"):
        body = body.replace(tag.replace("<", "&lt;").replace(">", "&gt;"), tag)
    head = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    write_text(output, f"{head}<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n")
    progress(1, 1)


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    start(
        snakemake,
        "show_table",
        md=snakemake.input.md,
        title=json.loads(snakemake.params.spec)["title"],
        output=snakemake.output.html,
    )
