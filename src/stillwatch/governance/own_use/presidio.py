"""Presidio beside our own recognisers: for kinds that need a language model, such as names of people, where a team runs one.

Takes a configuration of Presidio's analyser (its own YAML), or none: then it runs without a language model and without the network. Gives what
it says above its own score; that score is Presidio's and no probability, so the finding says where it comes from. Some hundred times slower.
This module needs nothing of ours but its caller, so that it can be run where Presidio is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEAST_SCORE = 0.5
NO_MODEL = {"nlp_engine_name": "no_op", "models": [{"lang_code": "en", "model_name": "none"}]}


class PresidioScanner:
    """Asks a Presidio analyser."""

    def __init__(self, analyzer: Any, language: str = "en") -> None:
        """Take an `AnalyzerEngine`."""
        self._analyzer = analyzer
        self._language = language

    def scan(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Give entity, first character and end of everything that is found with a score of `LEAST_SCORE` or more; addresses of pages are left out."""
        for one in self._analyzer.analyze(text=text, language=self._language, score_threshold=LEAST_SCORE):
            if one.entity_type != "URL":
                yield str(one.entity_type), int(one.start), int(one.end)


def open_presidio(configuration: Path | None = None) -> PresidioScanner:
    """Open Presidio.

    Args:
        configuration: YAML of `AnalyzerEngineProvider`; null for all of its recognisers without a language model.

    Raises:
        ImportError: where presidio-analyzer is not installed.
        ValueError: where its configuration cannot be used.
    """
    import tldextract  # noqa: PLC0415  # an extra
    from presidio_analyzer import AnalyzerEngine, AnalyzerEngineProvider  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    # Its recogniser of addresses would fetch a list of domains at the first address; the one that it brings is enough.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    if configuration is not None:
        provider = AnalyzerEngineProvider(analyzer_engine_conf_file=str(configuration))
        return PresidioScanner(provider.create_engine())
    engine = NlpEngineProvider(nlp_configuration=NO_MODEL).create_engine()
    return PresidioScanner(AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]))
