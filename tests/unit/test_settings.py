"""Settings: where they come from, and what they refuse."""

from dataclasses import FrozenInstanceError, fields

import pytest

from taskkitx.errors import ConfigurationError
from taskkitx.settings import DEFAULT_URL, Settings, default_url


def test_the_defaults_work():
    settings = Settings()

    assert settings == Settings.from_environment({})
    assert settings.beat * 6 == settings.lease_ttl


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_every_field_can_be_set_by_the_environment(field):
    default = getattr(Settings(), field)
    other = {"log_format": "json", "log_level": "debug"}.get(field, type(default)(77))

    settings = Settings.from_environment({f"TASKKITX_{field.upper()}": str(other)})

    assert getattr(settings, field) == other
    assert type(getattr(settings, field)) is type(default)


def test_arguments_come_before_the_environment():
    environ = {"TASKKITX_LEASE_TTL": "60", "TASKKITX_PREFETCH": "5"}

    settings = Settings.from_environment(environ, lease_ttl=90.0, prefetch=None)

    assert (settings.lease_ttl, settings.prefetch) == (90.0, 5)


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("TASKKITX_DRAIN_TIMEOUT", "3.5")

    assert Settings.from_environment().drain_timeout == 3.5


def test_foreign_variables_are_ignored():
    assert Settings.from_environment({"LEASE_TTL": "5", "TASKKITX_URL": "x"}) == Settings()


@pytest.mark.parametrize(
    ("field", "text"),
    [("LEASE_TTL", "soon"), ("PREFETCH", "1.5"), ("MAX_TASKS", ""), ("MAX_RSS", "200M")],
)
def test_text_of_the_wrong_type_is_refused_by_name(field, text):
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({f"TASKKITX_{field}": text})

    assert f"TASKKITX_{field} is {text!r}" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lease_ttl", 1.0),
        ("lease_ttl", float("nan")),
        ("drain_timeout", -1.0),
        ("drain_timeout", float("inf")),
        ("prefetch", -1),
        ("max_tasks", -5),
        ("poll_interval", 0.0),
        ("log_format", "xml"),
        ("log_level", "loud"),
    ],
)
def test_what_cannot_work_is_refused_by_name_and_value(field, value):
    with pytest.raises(ConfigurationError) as refused:
        Settings(**{field: value})

    message = str(refused.value)
    assert field in message
    assert f"{value:g}" in message if isinstance(value, float) else str(value) in message


def test_a_bad_environment_is_refused_like_a_bad_argument():
    with pytest.raises(ConfigurationError, match="lease_ttl is nan"):
        Settings.from_environment({"TASKKITX_LEASE_TTL": "nan"})


@pytest.mark.parametrize("lease_ttl", [3.0, 15.0, 30.0, 600.0])
def test_derived_times_fit_into_the_lease(lease_ttl):
    settings = Settings(lease_ttl=lease_ttl)

    assert 0 < settings.beat < settings.lease_ttl - settings.lease_margin
    assert settings.lease_margin <= 5.0


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Settings().lease_ttl = 5.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, DEFAULT_URL),
        ({"TASKKITX_URL": ""}, DEFAULT_URL),
        ({"TASKKITX_URL": "memory://x"}, "memory://x"),
    ],
)
def test_the_default_store(monkeypatch, environ, url):
    monkeypatch.delenv("TASKKITX_URL", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert default_url() == url
