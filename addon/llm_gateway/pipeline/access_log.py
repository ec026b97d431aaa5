"""Access log: one line per request."""

import logging

from llm_gateway.pipeline.exchange import Exchange

logger = logging.getLogger("llm_gateway")


def log_line(exchange: Exchange) -> None:
    """One line per request that a person can read."""
    record = exchange.record
    if not logger.isEnabledFor(logging.INFO):
        return
    where = f"{record.provider}/{record.model}" if record.provider else "-"
    tries = f" after {record.attempts} attempts" if record.attempts > 1 else ""
    spent = ""
    if record.usage.source != "unknown":
        mark = "~" if record.usage.source == "estimated" else ""
        spent = f", {mark}{record.usage.prompt}+{record.usage.completion} tokens"
    if record.cost is not None:
        spent += f", ${record.cost / 1e9:.6f}" if record.cost else ", free"
    if record.saved:
        spent += f", saved ${record.saved / 1e9:.6f}"
    status = f" {record.status}" if record.status else ""
    seconds = (record.duration_ms or 0) / 1000
    # A line that is whole: it is put together once, not once for each handler.
    logger.info(
        f"{record.client} {record.translated or record.dialect} {quoted(record.requested_model)}"
        f" -> {quoted(where)}{tries}: {record.outcome}{status}, {seconds:.2f} s{spent}"
    )


def quoted(name: str) -> str:
    """A name that others chose, so that it stays on its line."""
    return name if name.isprintable() else repr(name)
