"""Converts the times in files to seconds since 1970.

A number counts seconds since 1970, or milli-, micro- or nanoseconds if it is too large for seconds.
Digits may also be a date: YYYYMMDD, which HHMM or HHMMSS may follow, or YYMMDDHH as in Avazu. A
text is a date with the year first. A time of day and a UTC offset may follow; without an offset,
the time is UTC.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXPECTED = (
    "a time is expected: seconds since 1970, or a date, year first, with or without a time of day "
    "and an offset from UTC, such as 2024-03-26 14:00:00+01:00"
)
"""The message for a value that is not a time."""
_FORM = (
    r"^(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"|/(?P<month2>[0-9]{1,2})/(?P<day2>[0-9]{1,2}))"
    r"(?:(?:T| +)(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?: ?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?))?)?)?$"
)
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Units smaller than seconds: from which size on a number has the unit, and units per second."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2099


def of_numbers(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Converts numbers that count from 1970, or whose digits are a date, to seconds since 1970.

    Args:
        numbers: float64, shape (rows,); NaN if missing.

    Returns:
        float64 seconds, shape (rows,), and which numbers are wrong, bool. A number is wrong if its
        digits begin like a date from 1900 to 2099 but are not a date, or if its ten digits could be
        a date with an hour as well as seconds.
    """
    wrong = np.zeros(len(numbers), dtype=bool)
    size = np.abs(np.nan_to_num(numbers))
    if not len(numbers) or size.max() < 1e7:
        return numbers, wrong
    seconds = numbers.copy()
    for least, a_second in reversed(_UNITS):
        counts = size >= least
        seconds[counts] = numbers[counts] / a_second
    whole = (numbers > 0) & (np.floor(numbers) == numbers)
    for digits, rest in ((8, 1.0), (10, 1e2), (12, 1e4), (14, 1e6)):
        dates = whole & (size >= 10.0 ** (digits - 1)) & (size < 10.0**digits)
        years = numbers // (1e4 * rest)
        dates &= (years >= _FIRST_YEAR) & (years <= _LAST_YEAR)
        found, valid = _compact(numbers[dates], rest)
        if digits == 10:
            wrong[dates] = valid
            continue
        seconds[dates] = found
        wrong[dates] = ~valid
        if digits == 8:
            hours = whole & (size >= 1e7) & (size < 1e8) & ~dates
            found, valid = _compact(numbers[hours] + 2e9, 1e2)
            seconds[hours] = np.where(valid, found, numbers[hours])
    return seconds, wrong


def of_texts(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Converts texts of dates and times to seconds since 1970.

    Args:
        column: Strings.

    Returns:
        float64 seconds, shape (rows,), NaN if missing or wrong, and which texts are wrong, bool.
    """
    groups = pc.extract_regex(column, _FORM)
    known = groups.is_valid().to_numpy(zero_copy_only=False)

    def part(name: str, empty: int = 0) -> np.ndarray:
        texts = pc.fill_null(groups.field(name), "")
        found = pc.if_else(pc.equal(texts, ""), str(empty), texts)
        return np.asarray(found.cast(pa.int64()).to_numpy(zero_copy_only=False))

    month, day = part("month") + part("month2"), part("day") + part("day2")
    hour, minute, second = part("hour"), part("minute"), part("second")
    hours, minutes = part("hours"), part("minutes")
    days, valid = _days(part("year"), month, day)
    valid &= known & (hour < 24) & (minute < 60) & (second < 60) & (hours < 15) & (minutes < 60)
    fraction = pc.fill_null(pc.utf8_rpad(groups.field("fraction"), 9, "0"), "0" * 9)
    fraction = fraction.cast(pa.int64()).to_numpy(zero_copy_only=False) // 1000 / 1e6
    behind = pc.fill_null(pc.equal(groups.field("sign"), "-"), False)
    sign = np.where(behind.to_numpy(zero_copy_only=False), -1, 1)
    offset = sign * (hours * 3600 + minutes * 60)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset + fraction
    wrong = column.is_valid().to_numpy(zero_copy_only=False) & ~valid
    return np.where(valid, seconds, np.nan), wrong


def of_typed(column: pa.Array) -> pa.Array:
    """Converts Arrow dates to seconds since 1970, times of day and durations to seconds."""
    kind = column.type
    if pa.types.is_date32(kind):
        return pc.multiply(column.cast(pa.int32()).cast(pa.float64()), 86_400.0)
    unit = "ms" if pa.types.is_date64(kind) else kind.unit
    counts = column.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64()).cast(pa.int64())
    a_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    if unit == "ns":  # texts are read to microseconds too
        counts, a_second = _floor_divide(counts, 1000), 1_000_000
    whole = _floor_divide(counts, a_second)
    rest = pc.subtract(counts, pc.multiply(whole, a_second))
    return pc.add(whole.cast(pa.float64()), pc.divide(rest.cast(pa.float64()), float(a_second)))


def _floor_divide(counts: pa.Array, by: int) -> pa.Array:
    """Divides and rounds down, also for negative numbers (dates before 1970)."""
    values = pc.fill_null(counts, 0).to_numpy(zero_copy_only=False) // by
    return pc.if_else(counts.is_valid(), pa.array(values), None)


def _compact(numbers: np.ndarray, rest: float) -> tuple[np.ndarray, np.ndarray]:
    """Converts digits YYYYMMDD and a time of day to seconds since 1970, and says which are valid.

    Args:
        numbers: float64, shape (rows,).
        rest: 10 to the number of digits of the time of day.
    """
    each = numbers.astype(np.int64)
    date, clock = np.divmod(each, int(rest))
    clock *= int(1e6 / rest)
    days, valid = _days(date // 10_000, date // 100 % 100, date % 100)
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    return (days * 86_400 + hour * 3600 + minute * 60 + second).astype(np.float64), valid


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Converts dates to days since 1970, and says which of them are in the calendar."""
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first + day - 1, valid & (day <= after - first)
