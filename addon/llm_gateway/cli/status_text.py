"""What `llm-gateway status` prints: lines for people, one line for a status bar.

From the value of the Live page to text. What this file does not know: files, clocks, the
terminal (`wide` is an argument).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from llm_gateway.cli.report import count, dollars, tokens
from llm_gateway.cli.terminal import Paint, cut, flowed, printable

Json = dict[str, Any]
USABLE = ("ready", "near limit")
OFF = ("excluded", "disabled", "not configured")
SHORT = {"minute": "min", "hour": "hour", "day": "day", "month": "month"}
BAR = 12


def duration(seconds: float) -> str:
    """`42 s`, `12 m`, `3 h 20 m`, `17 d`."""
    s = max(0, round(seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} m"
    if s < 86_400:
        return (
            f"{s // 3600} h {s % 3600 // 60} m" if s % 3600 >= 60 else f"{s // 3600} h"
        )
    return f"{s // 86_400} d"


def is_down(found: Json) -> bool:
    return found["gateway"] is None or bool(found["gateway"]["silent"])


def code(found: Json) -> int:
    """0: something can answer. 1: nothing can, or no gateway runs."""
    return 1 if is_down(found) or found["ready"][0] == 0 else 0


def text(found: Json, paint: Paint, wide: int) -> str:
    """Several lines, none wider than `wide`."""
    return "\n".join(
        [*_head(found, paint, wide), *_names(found, paint, wide), *_limits(found, paint, wide)]
    )  # fmt: skip


def _head(found: Json, paint: Paint, wide: int) -> Iterator[str]:
    gateway = found["gateway"]
    if gateway is None:
        yield paint("red", "No gateway has written here yet.")
    elif gateway["silent"]:
        at = gateway["heartbeat"]
        since = f" since {_clock(at, found['now'])}" if at else ""
        down = f"The gateway is down{since};"
        left = "the numbers are as it left them."
        yield from flowed([("red", down), ("red", left)], " ", wide, paint)
    else:
        ready, all_ = found["ready"]
        base = f"http://127.0.0.1:{gateway['port'] or 8080}/v1"
        policy = f"policy {gateway['policy']}"
        yield from flowed(
            [("green", "up"), ("bold", base), ("", policy)], "  ", wide, paint
        )
        yield f"{ready} of {all_} models can answer"
    today, month = found["today"], found["month"]
    yield from flowed(
        [
            ("green", f"today saved {dollars(today['saved'] or 0)}"),
            ("", f"spent {dollars(today['cost'] or 0)}"),
            ("", f"{count(today['requests'])} requests"),
            ("", f"{tokens(today['tokens'])} tokens"),
        ],
        ", ",
        wide,
        paint,
    )
    yield from flowed(
        [
            ("soft", f"this month saved {dollars(month['saved'] or 0)}"),
            ("soft", f"spent {dollars(month['cost'] or 0)}"),
        ],
        ", ",
        wide,
        paint,
    )
    for bar in found["budget"]:
        if bar["metric"] == "cost":
            amounts = f"{dollars(bar['used'])} of {dollars(bar['limit'])}"
            yield f"budget per {bar['window']}: {paint(_colour(bar), amounts)}"
    for alert in found["alerts"][:4]:
        colour = "red" if alert["kind"] in URGENT else "yellow"
        pieces = [f"! {alert['subject']}:", *_alert(alert, found["now"])]
        shown = [(colour, printable(one)) for one in pieces]
        yield from flowed(shown, " ", wide, paint)


URGENT = ("full", "failing", "key refused", "gateway")
"""Kinds of alerts that somebody waits for."""


def _alert(alert: Json, now: float) -> Iterator[str]:
    word = f"{alert['word']}: " if alert.get("word") else ""
    said = alert.get("text") or f"{_percent(alert['ratio'])} of {alert['limit']} used"
    back = max(alert.get("returns") or 0, alert.get("resets") or 0) - now
    yield f"{word}{said}{',' if back > 0 else ''}"
    if back > 0:
        yield f"back in {duration(back)}"


def _names(found: Json, paint: Paint, wide: int) -> Iterator[str]:
    names = [
        n for n in found["names"] if any(o["word"] not in OFF for o in n["offers"])
    ]
    if not names:
        return
    yield ""
    yield paint("bold", "right now")
    longest = max(len(printable(name["name"])) for name in names)
    column = min(28, wide // 2 - 4, longest)
    for name in sorted(
        names, key=lambda n: not any(o["word"] in USABLE for o in n["offers"])
    ):
        yield f"  {cut(printable(name['name']), column):<{column}}  {_answer(name['offers'], found, paint, wide - column - 4)}"


def _answer(offers: Sequence[Json], found: Json, paint: Paint, wide: int) -> str:
    usable = [offer for offer in offers if offer["word"] in USABLE]
    if not usable:
        times = [
            o["returns"] for o in offers if o["returns"] and o["returns"] > found["now"]
        ]
        first = offers[0]
        left_over = duration(min(times) - found["now"]) if times else ""
        back = f", back in {left_over}" if times else ""
        # When it is back says more than who it is.
        ways = (f" ({printable(first['provider'])}){back}", back, f", {left_over}")
        room = wide - len(first["word"])
        return paint.word(first["word"]) + next((w for w in ways if len(w) <= room), "")
    first, *rest = usable
    cost = paint("green", "free") if first["free"] else paint("yellow", "paid")
    then = f", then {printable(rest[0]['provider'])}" if rest else ""
    provider = cut(printable(first["provider"]), wide - 5)
    if len(provider) + 5 + len(then) > wide:
        then = f" +{len(rest)}" if len(provider) + 8 <= wide else ""
    return f"{provider} {cost}{then}"


def _limits(found: Json, paint: Paint, wide: int) -> Iterator[str]:
    rows = [
        (printable(name), bar)
        for provider in found["providers"]
        if provider["state"]["word"] not in OFF
        for name, bars in (
            (provider["id"], provider["bars"]),
            *(
                ((f"{provider['id']} / {m['model']}"), m["bars"])
                for m in provider["models"]
            ),
        )
        for bar in bars
    ]
    if not rows:
        return
    yield ""
    yield paint("bold", "limits")
    column = max(14, *(len(name) for name, _ in rows))
    if column > min(30, wide - 60):
        yield from _under_their_names(rows, found["now"], paint, wide)
        return
    for name, bar in rows:
        what, shown, used, resets = _bar(bar, found["now"], paint, BAR)
        yield f"  {name:<{column}}  {what:<15}{shown} {used}{resets}"


def _under_their_names(
    rows: Sequence[tuple[str, Json]], now: float, paint: Paint, wide: int
) -> Iterator[str]:
    """Where a name would be cut, it has a line of its own: names differ at their ends."""
    last = None
    for name, bar in rows:
        if name != last:
            last = name
            yield f"  {cut(name, wide - 2)}"
        long = BAR if wide >= 60 else 6
        what, shown, used, resets = _bar(bar, now, paint, long)
        taken = 4 + 15 + long + 1 + len(used)
        fits = taken + len(resets) <= wide
        yield f"    {what:<15}{shown} {used}{resets if fits else ''}"


def _colour(bar: Json) -> str:
    return {"full": "red", "hot": "red", "near": "yellow"}.get(bar["level"], "green")


def _bar(bar: Json, now: float, paint: Paint, long: int) -> tuple[str, str, str, str]:
    """What is limited, the bar, how much of it is used, when it is empty again."""
    limit = bar["limit"]
    ratio = 1.0 if limit <= 0 else (bar["used"] + bar["reserved"]) / limit
    full = min(long, round(ratio * long))
    shown = paint(_colour(bar), "█" * full) + paint("soft", "░" * (long - full))
    number = dollars if bar["metric"] == "cost" else _brief_count
    left = bar["resets"] - now if bar["resets"] else 0
    resets = (
        f"  {duration(left)}" if left > 0 and bar["used"] + bar["reserved"] > 0 else ""
    )
    used = f"{number(bar['used'])} of {number(limit)}"
    return f"{bar['metric']}/{SHORT[bar['window']]}", shown, used, resets


def _brief_count(n: float) -> str:
    return count(n) if n < 10_000 else tokens(n)


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}".replace("%", " %")


def line(found: Json) -> str:
    """`groq 62 % 3 h · gemini out 41 m · $0.02`: for tmux, prompts and menu bars."""
    if is_down(found):
        return "gateway down"
    parts = []
    usable_first = sorted(
        found["providers"], key=lambda one: one["state"]["word"] not in USABLE
    )
    for provider in usable_first:
        word = provider["state"]["word"]
        if word in OFF:
            continue
        shown = _brief(provider, found["now"])
        if shown:
            parts.append(f"{printable(provider['id'])} {shown}")
    parts.append(dollars(found["today"]["cost"] or 0))
    return " · ".join(parts)


def _brief(provider: Json, now: float) -> str:
    state = provider["state"]
    back = (
        f" {duration(state['returns'] - now)}" if (state["returns"] or 0) > now else ""
    )
    if state["word"] not in USABLE:
        return ("out" if state["word"] == "at limit" else str(state["word"])) + back
    bars = [*provider["bars"], *(bar for m in provider["models"] for bar in m["bars"])]
    worst = max(bars, key=_ratio, default=None)
    if worst is None or _ratio(worst) < 0.01:
        return ""
    left = f" {duration(worst['resets'] - now)}" if (worst["resets"] or 0) > now else ""
    return _percent(_ratio(worst)) + left


def _ratio(bar: Json) -> float:
    return (
        1.0
        if bar["limit"] <= 0
        else float((bar["used"] + bar["reserved"]) / bar["limit"])
    )


def _clock(at: float, now: float) -> str:
    form = "%H:%M" if abs(now - at) < 43_200 else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at).astimezone().strftime(form)
