"""Sizes, durations and cores are read exactly, or refused with what would be right."""

import pytest

from reconciler.model.quantities import (
    QuantityError,
    parse_cpu,
    parse_duration,
    parse_size,
    size_text,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("128Mi", 128 * 1024**2),
        ("2Gi", 2 * 1024**3),
        ("1Ti", 1024**4),
        ("1Pi", 1024**5),
        ("500M", 500_000_000),
        ("2G", 2_000_000_000),
        ("512k", 512_000),
        ("4Ki", 4096),
        ("1.5Gi", 1_610_612_736),
        ("2 Gi", 2 * 1024**3),
        ("1", 1),
        ("1048576", 1_048_576),
    ],
)
def test_a_size_is_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("0", "leaves nothing", "512Mi"),
        ("0Gi", "leaves nothing", "512Mi"),
        ("0.0001k", "leaves nothing", "512Mi"),
        ("-1Gi", "negative", "512Mi"),
        ("", "an empty text", "512Mi"),
        ("2Gigs", "`2Gigs` is not a size", "2Gi (in steps of 1024) or 2G (of 1000)"),
        ("512m", "not a size", "512Mi"),
        ("512MB", "not a size", "512M"),
        ("512K", "not a size", "512Ki (in steps of 1024) or 512k"),
        ("5 apples", "not a size", "512Mi"),
        ("lots", "not a size", "512Mi"),
        ("1.5", "whole number of bytes", "512Mi"),
        ("9999999Pi", "larger than any machine", "512Mi"),
        ("1" * 200, "…` is not a size", "512Mi"),
        ("1e3", "not a size", "512Mi"),
        ("٣Gi", "not a size", "512Mi"),
    ],
)
def test_what_is_no_size_is_never_a_number(text, message, hint):
    with pytest.raises(QuantityError) as error:
        parse_size(text)
    assert message in str(error.value)
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5s", 1.5),
        ("0s", 0.0),
        ("0", 0.0),
        ("90", 90.0),
        ("2.5", 2.5),
    ],
)
def test_a_duration_is_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty text"),
        ("-5s", "negative"),
        ("soon", "`soon` is not a duration"),
        ("5 minutes", "not a duration"),
        ("30m1h", "not a duration"),
        ("1:30", "not a duration"),
        ("9999999999s", "not a duration"),
    ],
)
def test_what_is_no_duration_is_refused(text, message):
    with pytest.raises(QuantityError) as error:
        parse_duration(text)
    assert message in str(error.value)
    assert "30s" in error.value.hint


@pytest.mark.parametrize(
    ("text", "cores"), [("2", 2.0), ("0.5", 0.5), ("500m", 0.5), ("1500m", 1.5)]
)
def test_cpu_is_cores(text, cores):
    assert parse_cpu(text) == cores


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "never run"),
        ("0m", "never run"),
        ("-1", "negative"),
        ("", "an empty text"),
        ("half", "not a number of cores"),
        ("5000", "more cores than any machine"),
        ("0.5m", "not a number of cores"),
    ],
)
def test_what_is_no_cpu_is_refused(text, message):
    with pytest.raises(QuantityError) as error:
        parse_cpu(text)
    assert message in str(error.value)
    assert "500m" in error.value.hint


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1 MiB"),
        (1_288_490_189, "1.2 GiB"),
        (10 * 1024**3, "10 GiB"),
        (500_000_000, "476.8 MiB"),
        (3 * 1024**4, "3 TiB"),
        (5000 * 1024**4, "5000 TiB"),
    ],
)
def test_bytes_for_people(size, text):
    assert size_text(size) == text
