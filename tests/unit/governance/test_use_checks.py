"""Check digits, against numbers that other programs make: Faker's providers, which were not written with these checks."""

from __future__ import annotations

import re

import pytest
from faker import Faker

from stillwatch.governance.own_use import checks

MANY = 300
MADE = {
    "payment card": ("en_US", lambda fake: fake.credit_card_number(), checks.payment_card),
    "German IBAN": ("de_DE", lambda fake: fake.iban(), checks.iban),
    "French IBAN": ("fr_FR", lambda fake: fake.iban(), checks.iban),
    "Polish IBAN": ("pl_PL", lambda fake: fake.iban(), checks.iban),
    "US social security number": ("en_US", lambda fake: fake.ssn(), checks.us_social_security),
    "Spanish DNI": ("es_ES", lambda fake: fake.nif(), checks.spanish_id),
    "Spanish NIE": ("es_ES", lambda fake: fake.nie(), checks.spanish_id),
    "Dutch BSN": ("nl_NL", lambda fake: fake.ssn(), checks.dutch_citizen),
    "Polish PESEL": ("pl_PL", lambda fake: fake.pesel(), checks.polish_citizen),
    "Italian fiscal code": ("it_IT", lambda fake: fake.ssn(), checks.italian_fiscal),
    "Brazilian CPF": ("pt_BR", lambda fake: fake.cpf(), checks.brazilian_citizen),
    "public IPv4": ("en_US", lambda fake: fake.ipv4_public(), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
def test_numbers_of_another_maker_pass(kind: str) -> None:
    locale, make, check = MADE[kind]
    fake = Faker(locale)
    fake.seed_instance(7)
    numbers = [make(fake) for _ in range(MANY)]
    if check is None:
        assert sum(map(checks.public_address, numbers)) >= MANY - 2
        return
    failed = [one for one in numbers if not check(re.sub(r"[ .-]", "", one))]
    # Faker makes a few numbers that no office issues (such as 666 in the first place, or 13-digit cards of networks that ended them).
    assert len(failed) <= MANY // 20, failed[:5]


@pytest.mark.parametrize(
    "kind", [name for name, (_, _, check) in MADE.items() if check is not None and name != "US social security number"]
)
def test_a_wrong_digit_fails(kind: str) -> None:
    locale, make, check = MADE[kind]
    fake = Faker(locale)
    fake.seed_instance(8)
    passed = 0
    for _ in range(MANY):
        number = re.sub(r"[ .-]", "", make(fake))
        place = max(index for index, one in enumerate(number[:-1]) if one.isdigit())
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        passed += check(wrong)
    assert passed <= MANY // 50


@pytest.mark.parametrize(
    ("text", "check", "right"),
    [
        ("4111111111111111", checks.payment_card, True), ("378282246310005", checks.payment_card, True), ("4111111111111112", checks.payment_card, False),
        ("0000000000000000", checks.payment_card, False), ("DE89370400440532013000", checks.iban, True), ("GB82WEST12345698765432", checks.iban, True),
        ("GB82WEST12345698765433", checks.iban, False), ("XX82WEST12345698765432", checks.iban, False), ("86095742719", checks.german_tax_id, True),
        ("86095742710", checks.german_tax_id, False), ("12345678Z", checks.spanish_id, True), ("255081416802538", checks.french_social_security, True),
        ("255081416802539", checks.french_social_security, False), ("234123412346", checks.aadhaar, True), ("234123412347", checks.aadhaar, False), ("9434765919", checks.british_health, True), ("9434765910", checks.british_health, False),
        ("078051120", checks.us_social_security, False), ("666123456", checks.us_social_security, False), ("10.1.2.3", checks.public_address, False),
        ("192.168.1.1", checks.public_address, False), ("300.1.1.1", checks.public_address, False), ("93.184.216.34", checks.public_address, True),
    ],
)  # fmt: skip
def test_published_examples(text: str, check: checks.Check, right: bool) -> None:
    assert check(text) is right
