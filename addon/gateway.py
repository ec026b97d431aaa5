"""What `mitmdump -s addon/gateway.py` loads. Everything lives in the package beside it."""

try:
    from llm_gateway.addon import Gateway
except BaseException:
    # mitmproxy would go on and listen, on all interfaces, before it sees what is missing.
    import asyncio

    from mitmproxy import ctx
    from mitmproxy.addons.proxyserver import Proxyserver

    ctx.options.update(server=False)
    for task in asyncio.all_tasks():
        if getattr(task.get_coro(), "cr_code", 0) is Proxyserver.setup_servers.__code__:
            task.cancel()
    raise

addons = [Gateway()]
