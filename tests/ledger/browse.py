"""A Datasette in a process of its own (it leaves connections open): asks it for pages.

python browse.py FILE METADATA < paths, one a line      prints "status path" for each,
                                                        then the last page's text
"""

import asyncio
import json
import sys
from pathlib import Path

from datasette.app import Datasette


async def main(file: str, metadata: str) -> None:
    app = Datasette([file], metadata=json.loads(Path(metadata).read_text("utf-8")))
    await app.invoke_startup()
    text = ""
    for path in sys.stdin.read().splitlines():
        response = await app.client.get(path, follow_redirects=True)
        text = response.text
        print(response.status_code, path)
    print(text)


asyncio.run(main(*sys.argv[1:]))
