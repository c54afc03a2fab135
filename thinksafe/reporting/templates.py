"""The documents that the workflow writes, from their templates in report/."""

from typing import Any

from thinksafe.provenance.digests import ROOT


def fill(template: str, **values: Any) -> str:
    """Return a template of report/ with values filled in; None becomes a dash.

    Raises
    ------
    jinja2.UndefinedError
        If a value is missing.
    """
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: "–" if value is None else value,
    )
    return environment.from_string((ROOT / "report" / template).read_text(encoding="utf-8")).render(values)
