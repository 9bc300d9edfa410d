"""Check digits and shapes of numbers that belong to people: a number that does not pass is not one.

Each function takes the digits or characters without separators and says whether they can be such a number.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

_VERHOEFF_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6), (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1), (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4), (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_TURNED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2), (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1), (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28,
    "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18,
    "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country (ISO 13616 registry)."""
_CARD_LENGTHS = {"3": {14, 15, 16}, "4": {13, 16, 19}, "5": {16}, "6": {16, 19}, "2": {16}}
_MAESTRO = ("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763", "6771")
_OLD_JCB = ("2131", "1800")


def luhn(digits: str) -> bool:
    """Say whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def payment_card(digits: str) -> bool:
    """Say whether it can be a card number: first digit and length of a network, more than one digit, check digit."""
    fits = len(digits) in _CARD_LENGTHS.get(digits[0], set())
    fits = fits or (digits.startswith(_MAESTRO) and 12 <= len(digits) <= 19)
    fits = fits or (digits.startswith(_OLD_JCB) and len(digits) == 15)
    return fits and len(set(digits)) > 1 and luhn(digits)


def iban(text: str) -> bool:
    """Say whether it can be an IBAN: country, length, and 1 modulo 97 (ISO 7064)."""
    if IBAN_LENGTHS.get(text[:2]) != len(text) or not text[2:].isalnum() or not text.isascii():
        return False
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


def us_social_security(digits: str) -> bool:
    """Say whether it can be issued: no part is 0, the first is not 666 nor from 900 on, and it is not a well-known sample."""
    if len(digits) != 9 or digits in {"078051120", "219099999", "123456789"} or len(set(digits)) == 1:
        return False
    return digits[:3] not in {"000", "666"} and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def german_tax_id(digits: str) -> bool:
    """Say whether it can be a German tax number: 11 digits, one of which occurs twice or thrice, ISO 7064 MOD 11,10."""
    if len(digits) != 11 or digits[0] == "0" or len(set(digits[:10])) not in {8, 9}:
        return False
    product = 10
    for character in digits[:10]:
        total = (int(character) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def spanish_id(text: str) -> bool:
    """Say whether the letter of a DNI or NIE fits its number."""
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and len(number) == 8 and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def french_social_security(text: str) -> bool:
    """Say whether the key of an INSEE number is right: 97 minus the number modulo 97 (2A and 2B count as 19 and 18)."""
    number, key = text[:13].replace("2A", "19").replace("2B", "18"), text[13:]
    return len(text) == 15 and number.isdigit() and key.isdigit() and 97 - int(number) % 97 == int(key)


def dutch_citizen(digits: str) -> bool:
    """Say whether a BSN passes the test of eleven."""
    if len(digits) != 9 or len(set(digits)) < 3:
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(one) for weight, one in zip(weights, digits, strict=True)) % 11 == 0


def polish_citizen(digits: str) -> bool:
    """Say whether a PESEL has a day of birth and the right check digit."""
    if len(digits) != 11 or not (1 <= int(digits[2:4]) % 20 <= 12 and 1 <= int(digits[4:6]) <= 31):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(weight * int(one) for weight, one in zip(weights, digits, strict=True)) % 10 == 0


def italian_fiscal(text: str) -> bool:
    """Say whether the last letter of a codice fiscale fits the others (decree of 23 December 1976)."""
    odd = dict(zip(
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
            strict=True,
        ))  # fmt: skip
    even = {one: int(one, 36) if one.isdigit() else ord(one) - 65 for one in odd}
    if len(text) != 16 or any(one not in odd for one in text):
        return False
    total = sum((odd if place % 2 == 0 else even)[one] for place, one in enumerate(text[:15]))
    return chr(65 + total % 26) == text[15]


def brazilian_citizen(digits: str) -> bool:
    """Say whether both check digits of a CPF are right."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for count in (9, 10):
        total = sum(int(one) * (count + 1 - place) for place, one in enumerate(digits[:count]))
        if total * 10 % 11 % 10 != int(digits[count]):
            return False
    return True


def aadhaar(digits: str) -> bool:
    """Say whether the check digit of an Aadhaar number is right (Verhoeff)."""
    if len(digits) != 12 or digits[0] in "01":
        return False
    check = 0
    for place, one in enumerate(reversed(digits)):
        check = _VERHOEFF_TIMES[check][_VERHOEFF_TURNED[place % 8][int(one)]]
    return check == 0


def british_health(digits: str) -> bool:
    """Say whether the check digit of an NHS number is right (modulo 11)."""
    if len(digits) != 10 or len(set(digits)) == 1:
        return False
    check = 11 - sum(int(one) * (10 - place) for place, one in enumerate(digits[:9])) % 11
    return check % 11 == int(digits[9]) and check != 10


def public_address(text: str) -> bool:
    """Say whether it is an IPv4 address that is routed on the internet, and not one that everybody writes."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return address.is_global and text not in {"1.1.1.1", "1.2.3.4", "8.8.8.8", "8.8.4.4", "9.9.9.9"}


def telephone(digits: str) -> bool:
    """Say whether it can be a number (ITU-T E.164): 8 to 15 digits, not all alike, and not counted up as in samples."""
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2 and digits not in "12345678901234567890"


Check = Callable[[str], bool]
