"""The options of `detect`, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help="Files, folders or globs of JSONL (.gz, .zst) or Parquet, or of sketches."),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made where missing.")]
LogFormat = Annotated[
    str, typer.Option("--format", metavar="NAME", help="Log format; `stillwatch formats` lists them.")
]
EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="duckdb or spark.")]
DiscoveryRate = Annotated[
    float, typer.Option("--fdr", metavar="RATE", help="False-discovery rate promised over campaigns.")
]
Reference = Annotated[
    list[str] | None, typer.Option("--reference", metavar="PATH", help="Traffic known to be honest; repeatable.")
]
Releases = Annotated[
    Path | None, typer.Option("--releases", metavar="FILE", help="Model releases: columns model, released_at.")
]
Accounts = Annotated[
    Path | None,
    typer.Option("--accounts", metavar="FILE", help="Account facts (Parquet, CSV, JSONL), licences included."),
]
ShowText = Annotated[
    bool, typer.Option("--show-text", help="Put the prompt text of exhibits into the report. Off by default.")
]
Threads = Annotated[int | None, typer.Option("--threads", metavar="N", min=1, help="Threads; by default one per core.")]
Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Memory for the engine, such as 4GB.")]
AssumeZone = Annotated[
    str | None,
    typer.Option("--assume-zone", metavar="ZONE", help="Zone of times that name none, such as UTC or Europe/Paris."),
]
AccountField = Annotated[
    str | None, typer.Option("--account-field", metavar="FIELD", help="Field that holds the account, where unusual.")
]
TimeField = Annotated[
    str | None, typer.Option("--time-field", metavar="FIELD", help="Field that holds the time, where unusual.")
]
DefaultAccount = Annotated[
    str | None, typer.Option("--default-account", metavar="ID", help="Account of records that name none.")
]
DefaultTime = Annotated[
    str | None,
    typer.Option("--default-time", metavar="TIME", help="Time of records that name none (ISO 8601, with zone)."),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="NAME", help="Text encoding of the logs, where not UTF-8.")
]
Year = Annotated[int | None, typer.Option("--year", metavar="YEAR", min=2015, help="Year of logs whose times lack it.")]
Now = Annotated[
    str | None,
    typer.Option("--now", metavar="TIME", help="Time after which a record is from the future (ISO 8601, with zone)."),
]
FailOnFindings = Annotated[
    bool, typer.Option("--fail-on-findings", help="End with exit code 10 where a campaign was flagged.")
]
Ledger = Annotated[
    str | None,
    typer.Option("--ledger", metavar="URL", help="Seal the run into this ledger, and record looks at text."),
]
Actor = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who runs this, for the ledger: a name with a role.")
]
