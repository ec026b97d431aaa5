"""`python -m llm_gateway.mitm_compat`: is the installed mitmproxy the one ours was compared with?

One line a site: known or not, the digests that are known, the one here. With a folder or
wheel of the last verified version (`pip download --no-deps mitmproxy==…`) it also shows
what is different in those that are not known. Exit code 1 when a site is not known.
"""

import difflib
import json
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from mitmproxy.version import VERSION

from llm_gateway.mitm_compat.fingerprints import compare, resolve, source
from llm_gateway.mitm_compat.required_names import self_check
from llm_gateway.mitm_compat.sites import GROUPS, VERIFIED, Site

_PRINT_SOURCE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from llm_gateway.mitm_compat.fingerprints import resolve, source
print(json.dumps(source(*map(resolve, sys.argv[2:]))))
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(
        "python -m llm_gateway.mitm_compat",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--verified",
        metavar="PATH",
        help=f"a folder or wheel with mitmproxy {VERIFIED}, to show differences",
    )
    options = parser.parse_args(argv)
    print(f"mitmproxy {VERSION}, last compared: {VERIFIED}")
    for name in self_check():
        print(f"missing  {name}: the gateway does not start")
    group = ""
    unknown = []
    for found in compare():
        site = found.site
        if site.group != group:
            group = site.group
            print(f"\n{group}: {GROUPS[group]}")
        word = "known" if found.is_known else "UNKNOWN"
        print(
            f"  {word:<8} {found.digest or '-':<9} "
            f"({' '.join(sorted(site.known))})  {site.name}"
        )
        if not found.is_known:
            unknown.append(site)
            if options.verified:
                print("".join(difference(site, options.verified)))
    if unknown and not options.verified:
        print(
            f"\nTo see what is different: pip download --no-deps mitmproxy=={VERIFIED}, "
            "then once more with --verified and the file's name."
        )
    return 1 if unknown else 0


def difference(site: Site, verified: str) -> list[str]:
    """Lines of a unified diff, from the verified text to the one installed here."""
    ran = subprocess.run(
        [sys.executable, "-c", _PRINT_SOURCE, verified, *site.functions],
        capture_output=True,
        text=True,
        check=False,
    )
    before = json.loads(ran.stdout) if ran.returncode == 0 else ""
    here = source(*map(resolve, site.functions))
    return list(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            here.splitlines(keepends=True),
            f"{site.name} {VERIFIED}",
            f"{site.name} {VERSION}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
