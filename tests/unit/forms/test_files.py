"""The files that an XForm names."""

from forms.xforms.files import NamedFile, named_files
from tests.support.forms import xform_of


def test_pictures_and_lists_are_named_as_they_are_called() -> None:
    xform = xform_of("""
        | survey |                                  |       |        |                |
        |        | type                             | name  | label  | media::image   |
        |        | select_one_from_file people.csv  | who   | Who    | l'eau & Co.png |
        |        | note                             | where | Here   | "ici".png      |
    """)

    assert named_files(xform) == [
        NamedFile('"ici".png', "image"),
        NamedFile("l'eau & Co.png", "image"),
        NamedFile("people.csv", "file"),
    ]


def test_addresses_may_stand_in_quotes_of_either_kind_and_in_expressions() -> None:
    xform = b"""
        <instance src='jr://file/prices.csv'/><instance src="jr://instance/last-saved"/>
        <bind calculate="if(a, 'jr://images/yes.png', concat('jr://images/', b, '.png'))"/>
        <bind calculate="if(a, &quot;jr://images/l'une &amp; l'autre.png&quot;, '')"/>
        <value form="audio"> jr://audio/greeting.mp3 </value>
    """

    assert [file.name for file in named_files(xform)] == [
        "greeting.mp3",
        "l'une & l'autre.png",
        "prices.csv",
        "yes.png",
    ]


def test_an_address_with_a_row_of_spaces_after_it_is_read_at_once() -> None:
    spaces = b" " * 200_000

    found = named_files(b'<a src="jr://images/one.png' + spaces + b'"/><a src="jr://images/two.png' + spaces + b'x"/>')

    assert [file.name[:7] for file in found] == ["one.png", "two.png"]
