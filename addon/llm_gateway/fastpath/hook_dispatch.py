"""Hook dispatch that remembers who listens.

mitmproxy asks every add-on for every hook: about 38 attribute look-ups, context
managers and coroutines, eight times per request. Who listens changes only when an
add-on comes or goes, so the answer is kept, per hook, until that happens.

This is the one place that replaces methods of `AddonManager`.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from mitmproxy import addonmanager, exceptions, flow, hooks

logger = logging.getLogger(__name__)

Handler = Callable[..., Any]
Group = tuple[Handler, ...]
"""The handlers of one add-on of the chain and of the add-ons inside it: an
exception in one of them ends the group, and the next group goes on."""

_traverse: Callable[[list[Any]], Iterator[Any]] = addonmanager.traverse


def handlers(manager: addonmanager.AddonManager, name: str) -> tuple[Group, ...]:
    """Who listens to the hook `name`, in the order of the chain."""
    groups = []
    for addon in manager.chain:
        group = tuple(
            func for a in _traverse([addon]) if callable(func := getattr(a, name, None))
        )
        if group:
            groups.append(group)
    return tuple(groups)


def install(manager: addonmanager.AddonManager) -> None:
    """Give this manager the dispatch that remembers; where `HOOKS` is known (mitm_compat)."""
    if not isinstance(manager.trigger_event, HookDispatcher):
        HookDispatcher(manager).install()


class HookDispatcher:
    """Stands in for `trigger_event` and `handle_lifecycle` of one manager."""

    def __init__(self, manager: addonmanager.AddonManager) -> None:
        self.manager = manager
        self.listeners: dict[str, tuple[Group, ...]] = {}

    def install(self) -> None:
        manager: Any = self.manager
        manager.register = self.then_forget(manager.register)
        manager.remove = self.then_forget(manager.remove)
        manager.handle_lifecycle = self.handle_lifecycle
        manager.trigger_event = self

    def then_forget(self, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """`register` or `remove`, after which nobody is known any more.

        A script that is reloaded joins its parent's list only after `register` has
        returned, hence the second time, when the loop comes round.
        """

        def changed(addon: Any) -> Any:
            try:
                return change(addon)
            finally:
                self.listeners.clear()
                asyncio.get_running_loop().call_soon(self.listeners.clear)

        return changed

    def listeners_of(self, name: str) -> tuple[Group, ...]:
        groups = self.listeners.get(name)
        if groups is None:
            groups = self.listeners[name] = handlers(self.manager, name)
        return groups

    async def __call__(self, event: hooks.Hook) -> None:
        if rest := _begin(self.listeners_of(event.name), event.args()):
            await rest

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        """A hook of the proxy, followed by `update` where it was about a flow."""
        (data,) = event.args()
        if rest := self.start(event.name, data):
            await rest

    def start(self, name: str, data: Any) -> Coroutine[Any, Any, None] | None:
        """The same, as far as it goes without waiting; what is left to await, if anything.

        `data`: the one argument that hooks of the proxy have.
        """
        rest = _begin(self.listeners_of(name), [data])
        updated = self.listeners_of("update")
        if not updated or not isinstance(data, flow.Flow):
            return rest
        return _in_turn(rest, updated, [[data]]) if rest else _begin(updated, [[data]])


async def _in_turn(
    first: Coroutine[Any, Any, None], then: tuple[Group, ...], args: list[Any]
) -> None:
    await first
    if rest := _begin(then, args):
        await rest


def _begin(
    groups: tuple[Group, ...], args: list[Any]
) -> Coroutine[Any, Any, None] | None:
    """Call handlers until one has to be awaited: then it, and what follows, is returned."""
    for at, group in enumerate(groups):
        try:
            for i, handler in enumerate(group):
                result = handler(*args)
                if result is not None and inspect.isawaitable(result):
                    return _rest(result, group[i + 1 :], groups[at + 1 :], args)
        except exceptions.AddonHalt:
            return None
        except Exception:
            _log_or_raise()
    return None


async def _rest(
    running: Awaitable[Any], group: Group, groups: tuple[Group, ...], args: list[Any]
) -> None:
    try:
        await running
        for handler in group:
            result = handler(*args)
            if result is not None and inspect.isawaitable(result):
                await result
    except exceptions.AddonHalt:
        return
    except Exception:
        _log_or_raise()
    if rest := _begin(groups, args):
        await rest


def _log_or_raise() -> None:
    """As mitmproxy does: log the exception and go on, but for an OptionsError."""
    with addonmanager.safecall():
        raise
