"""Settings: from variables over a file over defaults, and no fault passed over."""

from pathlib import Path

import pytest

from server.settings import SettingsFaulty, describe_settings, load_settings


def test_without_any_setting_everything_lies_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings({})

    assert settings.database_url == f"sqlite:///{tmp_path}/siby-data/siby.sqlite"
    assert settings.files_folder == tmp_path / "siby-data" / "files"
    assert settings.host == "127.0.0.1"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "siby.toml").write_text('port = 9000\nhost = "0.0.0.0"\ntrusted_proxies = ["10.0.0.0/8"]\n')

    settings = load_settings({"SIBY_PORT": "9001"}, tmp_path)

    assert (settings.host, settings.port) == ("0.0.0.0", 9001)
    assert str(settings.trusted_proxies[0]) == "10.0.0.0/8"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "siby.toml").write_text("ports = 1\nallow_plain = 7\n")

    with pytest.raises(SettingsFaulty) as faulty:
        load_settings({"SIBY_PORT": "high", "SIBY_TRUSTED_PROXIES": "all", "SIBY_LOG_FORMAT": "xml"}, tmp_path)

    told = str(faulty.value)
    assert len(told.splitlines()) == 5
    assert all(word in told for word in ("'ports'", "allow_plain", "SIBY_PORT", "SIBY_TRUSTED_PROXIES", "json or text"))


@pytest.mark.parametrize("written", ["workers = 1.5", "port = 8000.0", "port = true"])
def test_a_number_that_has_to_be_whole_is_so_in_the_file_too(tmp_path: Path, written: str) -> None:
    (tmp_path / "siby.toml").write_text(f"{written}\n")

    with pytest.raises(SettingsFaulty, match="a whole number"):
        load_settings({}, tmp_path)


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsFaulty, match="does not exist"):
        load_settings({"SIBY_CONFIG": str(tmp_path / "other.toml")})


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "siby.toml").write_text("port: 9000")

    with pytest.raises(SettingsFaulty, match=r"siby\.toml"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize("written", ["postgresql://a:b@c/d", "postgres://a:b@c/d", "postgresql+psycopg://a:b@c/d"])
def test_postgresql_is_reached_by_the_driver_that_is_installed(written: str) -> None:
    assert load_settings({"SIBY_DATABASE": written}).database_url == "postgresql+psycopg://a:b@c/d"


def test_a_sqlite_file_lies_where_it_was_named_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_settings({"SIBY_DATABASE": "sqlite:///here.sqlite"}).database_url == f"sqlite:///{tmp_path}/here.sqlite"


def test_an_address_of_a_database_that_cannot_be_read_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsFaulty, match="SIBY_DATABASE: database has to be an address such as") as told:
        load_settings({"SIBY_DATABASE": "postgresql://siby:s3cret@host:five/name"}, tmp_path)

    assert "s3cret" not in str(told.value)


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingsFaulty, match="postgresql://"):
        load_settings({"SIBY_DATABASE": "mysql://a:b@c/d"})


def test_every_setting_says_what_it_means() -> None:
    assert all(meaning.endswith(".") for *_, meaning in describe_settings())
