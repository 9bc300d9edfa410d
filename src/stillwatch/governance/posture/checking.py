"""The checks by name, as the catalogue names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stillwatch.governance.posture.checks import (
    actions_follow,
    alert_fields,
    assets_known,
    bundle_fresh,
    campaign_drill,
    data_set_canaries,
    detection_runs,
    false_alarms,
    indicators_shared,
    key_reveals,
    law_work,
    ledger_signed,
    log_drill,
    log_fields,
    log_tokens,
    looks_at_text,
    mark_keys,
    marking_drill,
    provider_mark,
    retention,
    second_person,
    spread_drill,
    surface_drill,
    usage_attributed,
)
from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.evidence import Evidence

Check = Callable[[Evidence], Measurement]
CHECKS: Mapping[str, Check] = {
    "actions_follow": actions_follow.check,
    "alert_fields": alert_fields.check,
    "assets_known": assets_known.check,
    "bundle_fresh": bundle_fresh.check,
    "campaign_drill": campaign_drill.check,
    "data_set_canaries": data_set_canaries.check,
    "detection_runs": detection_runs.check,
    "false_alarms": false_alarms.check,
    "indicators_shared": indicators_shared.check,
    "key_reveals": key_reveals.check,
    "law_work": law_work.check,
    "ledger_signed": ledger_signed.check,
    "log_drill": log_drill.check,
    "log_fields": log_fields.check,
    "log_tokens": log_tokens.check,
    "looks_at_text": looks_at_text.check,
    "mark_keys": mark_keys.check,
    "marking_drill": marking_drill.check,
    "provider_mark": provider_mark.check,
    "retention": retention.check,
    "second_person": second_person.check,
    "spread_drill": spread_drill.check,
    "surface_drill": surface_drill.check,
    "usage_attributed": usage_attributed.check,
}
