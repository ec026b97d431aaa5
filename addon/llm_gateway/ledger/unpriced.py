"""What counts as an answer without a price: `unknown_cost` of the rollups, since m010.

Only an answer of a provider of ours can lack a price. What was refused cost nothing, what
failed without usage is billed by nobody, and what was passed through is on the app's own
key, which has a column of its own.

The triggers are made anew with this meaning, and what they counted before is corrected
from the rows that are still there. Once released, this is not edited.
"""

from llm_gateway.ledger import rollups

UNPRICED = (
    "({row}simulated = 0 AND {row}cost_nano IS NULL AND {row}provider IS NOT NULL"
    " AND {row}outcome NOT IN ('refused', 'passthrough')"
    " AND ({row}outcome <> 'error' OR {row}total_tokens > 0))"
)
"""SQL over a row of `requests`, whose name is put in for `{row}`."""

_SUMS = {**rollups.SUMS, "unknown_cost": UNPRICED}


def _correction(period: str) -> str:
    own = [rollups.PERIODS[period], *rollups.KEY.values()]
    names = (period, *rollups.KEY)
    key = ", ".join(
        f"{value.format(row='')} AS own_{name}"
        for value, name in zip(own, names, strict=True)
    )
    before = rollups.SUMS["unknown_cost"].format(row="")
    same = " AND ".join(f"{name} = own_{name}" for name in names)
    groups = ", ".join(str(n + 1) for n in range(len(names)))
    return (
        f"UPDATE usage_{period} SET unknown_cost = max(0, unknown_cost - more) FROM"
        f" (SELECT {key}, sum({before} - {UNPRICED.format(row='')}) AS more FROM requests"
        f" WHERE outcome <> 'in_flight' AND cost_nano IS NULL GROUP BY {groups})"
        f" WHERE {same}"
    )


STATEMENTS = (
    *(f"DROP TRIGGER {name}" for name in rollups.TRIGGERS),
    *map(_correction, rollups.PERIODS),
    *rollups.triggers(_SUMS),
)
