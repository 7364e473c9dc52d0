import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.findings import Faulty
from forms.xforms.instance import MAX_BYTES, read_instance

PLAIN = "<data id='visit' version='3'><name>Amina</name><meta><instanceID>uuid:1</instanceID></meta></data>"


def refusal(raw: bytes) -> str:
    with pytest.raises(Faulty) as caught:
        read_instance(raw)
    return str(caught.value)


def test_the_header_of_a_record_is_read() -> None:
    instance = read_instance(
        b"<data id=' visit ' version='3' xmlns:orx='http://openrosa.org/xforms'><orx:meta>"
        b"<orx:instanceID> uuid:1 </orx:instanceID><orx:deprecatedID>uuid:0</orx:deprecatedID>"
        b"<orx:instanceName>Amina</orx:instanceName></orx:meta></data>"
    )

    assert (instance.form_id, instance.version) == ("visit", "3")
    assert (instance.instance_id, instance.deprecated_id) == ("uuid:1", "uuid:0")
    assert instance.instance_name == "Amina"
    assert not instance.encrypted


def test_an_instance_id_may_stand_on_the_root_element() -> None:
    assert read_instance(b"<data id='visit' instanceID='uuid:7'/>").instance_id == "uuid:7"


def test_what_is_not_said_is_none() -> None:
    instance = read_instance(b"<data/>")

    assert (instance.form_id, instance.version) == ("", "")
    assert instance.instance_id is instance.deprecated_id is instance.instance_name is None


def test_an_encrypted_record_says_so() -> None:
    assert read_instance(b"<data id='visit' encrypted='yes'/>").encrypted


@pytest.mark.parametrize(
    "value",
    ["Ami<!-- x -->na", "Ami<?x?>na", "Ami<![CDATA[na]]>", "&#65;mina", "<!-- -->Am<!-- -->ina<?y z?>"],
)
def test_a_value_is_its_whole_text(value: str) -> None:
    root = read_instance(f"<data><name>{value}</name></data>".encode()).root

    assert root[0].text == "Amina"


def test_tags_and_attributes_lose_their_namespaces() -> None:
    root = read_instance(
        b"<d:data xmlns:d='urn:d' xmlns:e='urn:e' id='visit'><d:entity e:create='1' create='2' e:label='x'/></d:data>"
    ).root

    assert [element.tag for element in root.iter()] == ["data", "entity"]
    assert dict(root[0].attrib) == {"create": "2", "label": "x"}


def test_the_hash_is_of_the_bytes_as_they_came() -> None:
    raw = PLAIN.encode()

    assert read_instance(raw).sha256 == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        "<data version='3'   id='visit'><name>Amina</name><meta><instanceID>uuid:1</instanceID></meta></data>",
        "<?xml version='1.0'?>\n<data id='visit' version='3'>\n\t<name>Amina</name>\n<meta>\n"
        "<instanceID>uuid:1</instanceID></meta>\n</data>\n",
        "<a:data xmlns:a='urn:a' id='visit' version='3'><a:name>Amina</a:name>"
        "<b:meta xmlns:b='urn:b'><b:instanceID>uuid:1</b:instanceID></b:meta></a:data>",
        PLAIN.replace("<data ", "<data xmlns:c='relative' ", 1),
        "<data id='visit' version='3'><name>Ami<!-- x -->na</name><meta><instanceID>uuid:1</instanceID></meta></data>",
    ],
)
def test_a_client_that_writes_the_same_content_otherwise_has_the_same_canonical_hash(same: str) -> None:
    first, second = read_instance(PLAIN.encode()), read_instance(same.encode())

    assert first.canonical_sha256 == second.canonical_sha256
    assert first.sha256 != second.sha256


@pytest.mark.parametrize(
    "other",
    [PLAIN.replace("Amina", "Aminata"), PLAIN.replace("Amina", "Amina "), PLAIN.replace("name>", "nom>")],
)
def test_other_content_has_another_canonical_hash(other: str) -> None:
    assert read_instance(PLAIN.encode()).canonical_sha256 != read_instance(other.encode()).canonical_sha256


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-8-sig", "<?xml version='1.0' encoding='UTF-8'?>"),
        ("utf-16", ""),
        ("utf-16", "<?xml version='1.0' encoding='UTF-16'?>"),
        ("utf-16-le", "<?xml version='1.0' encoding='UTF-16'?>"),
        ("utf-16-be", ""),
        ("utf-32", ""),
        ("iso-8859-1", "<?xml version='1.0' encoding='ISO-8859-1'?>"),
        ("cp1252", '<?xml version="1.0" encoding="windows-1252" standalone="yes"?>'),
    ],
)
def test_encodings_are_read_as_they_are_declared(encoding: str, declared: str) -> None:
    instance = read_instance((declared + "<data><name>Aïssata Traoré</name></data>").encode(encoding))

    assert instance.root[0].text == "Aïssata Traoré"
    assert (
        instance.canonical_sha256 == read_instance("<data><name>Aïssata Traoré</name></data>".encode()).canonical_sha256
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not readable XML"),
        (b"hello", "not readable XML"),
        (PLAIN.encode()[:-9], "not readable XML"),
        (PLAIN.encode() + b"<more/>", "not readable XML"),
        (b"<data>&unknown;</data>", "not readable XML"),
        (b"<data>\xff</data>", "not readable XML"),
        (b"<data>&#xD800;</data>", "not readable XML"),
        (b"<data>\0</data>", "NUL"),
        (b"<!DOCTYPE data><data/>", "DOCTYPE"),
        (b"<?xml version='1.0'?><!-- a --><?b c?>\n<!DOCTYPE data [<!ENTITY x 'y'>]><data>&x;</data>", "DOCTYPE"),
        ("<!DOCTYPE data><data/>".encode("utf-16"), "DOCTYPE"),
        (b"<?xml version='1.0' encoding='utf-7'?><data/>", "encoding"),
        (b"<?xml version='1.0' encoding='zlib'?><data/>", "encoding"),
        (b"<?xml version='1.0' encoding='klingon'?><data/>", "encoding"),
        (b"\xff\xfe<", "utf-16"),
        (b"<a>" * 61 + b"</a>" * 61, "60 deep"),
        (b"<a>" * 5000, "not readable XML"),
        (b"<a>" + b"<b/>" * 20_000 + b"</a>", "20000 elements"),
        (b"<a>" + b"<b/>" * 300_000 + b"</a>", "20000 elements"),
        (b"<a><b " + b" ".join(b"c%d='1'" % number for number in range(501)) + b"/></a>", "500 attributes"),
        (b"<a>" + b"x" * MAX_BYTES + b"</a>", "10 MB"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    assert reason in refusal(raw)


def test_the_limits_themselves_are_allowed() -> None:
    assert read_instance(b"<a>" * 60 + b"</a>" * 60).root.tag == "a"
    assert len(read_instance(b"<a>" + b"<b/>" * 19_999 + b"</a>").root) == 19_999


def test_a_doctype_inside_a_value_is_only_a_text() -> None:
    assert read_instance(b"<data><name><![CDATA[<!DOCTYPE x>]]></name></data>").root[0].text == "<!DOCTYPE x>"


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_reader_raise_anything_but_a_finding(raw: bytes) -> None:
    for attempt in (raw, b"<data>" + raw + b"</data>", b"<?xml version='1.0' encoding='" + raw + b"'?><data/>"):
        try:
            instance = read_instance(attempt)
        except Faulty:
            continue
        assert all(isinstance(element.tag, str) for element in instance.root.iter())


@given(st.integers(0, len(PLAIN) - 1))
def test_a_record_that_was_cut_off_is_unreadable(length: int) -> None:
    with pytest.raises(Faulty):
        read_instance(PLAIN.encode()[:length])
