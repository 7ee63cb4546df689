import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.salesforce import csvfile
from worker.salesforce.csvfile import UNCHANGED, CsvFile

COLUMNS = ["Community_User_Key__c", "Login__c"]


def written(tmp_path, *rows, columns=COLUMNS):
    with CsvFile(tmp_path / "job.csv", columns) as file:
        file.write_rows(rows)
    return (tmp_path / "job.csv").read_bytes()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, b"#N/A"),
        ("", b"#N/A"),
        (UNCHANGED, b""),
        (True, b"true"),
        (False, b"false"),
        (1, b"1"),
        (0, b"0"),
        (3.25, b"3.25"),
        ("plain", b"plain"),
        # Data that looks like the sign for null, or like a formula.
        ("#N/A", b"#N/A "),
        ("=1+1", b"=1+1"),
        ("@handle", b"@handle"),
        ("-5", b"-5"),
        ('say "hi"', b'"say ""hi"""'),
        ("a,b", b'"a,b"'),
        ("two\nlines", b'"two\nlines"'),
        ("two\r\nlines", b'"two\r\nlines"'),
        ("lone\rreturn", b'"lone\rreturn"'),
        (" padded ", b" padded "),
        ("👩‍👩‍👧 𠮷野", "👩‍👩‍👧 𠮷野".encode()),
        ("half \ud83d pair", b"half ? pair"),
    ],
)
def test_writes_each_kind_of_value_as_the_vendor_reads_it(tmp_path, value, cell):
    content = written(tmp_path, ["acme:1", value])

    header = b"Community_User_Key__c,Login__c\r\n"
    assert content == header + b"acme:1," + cell + b"\r\n"


def test_keeps_the_order_of_the_columns(tmp_path):
    first = written(tmp_path, ["acme:1", "ada"])
    second = written(tmp_path, ["acme:1", "ada"])

    assert first == second


def test_knows_rows_and_bytes_at_any_time(tmp_path):
    with CsvFile(tmp_path / "job.csv", COLUMNS) as file:
        file.write_rows([["acme:1", "Zoë"], ["acme:2", None]])
        open_size = file.bytes

    assert file.rows == 2
    assert open_size == file.bytes == (tmp_path / "job.csv").stat().st_size


def test_refuses_a_row_of_another_width(tmp_path):
    with (
        CsvFile(tmp_path / "job.csv", COLUMNS) as file,
        pytest.raises(ValueError, match="3 cells under 2 columns"),
    ):
        file.write_rows([["acme:1", "ada", "extra"]])


def test_is_full_with_room_for_one_more_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(csvfile, "LIMIT", 1000)
    monkeypatch.setattr(csvfile, "ROOM", 100)
    with CsvFile(tmp_path / "job.csv", ["a", "b"]) as file:
        file.write_rows([["k", "x" * 850]])
        before = file.is_full
        file.write_rows([["k", "x" * 60]])

        assert (before, file.is_full) == (False, True)
        assert file.bytes < csvfile.LIMIT


def test_deletes_its_file_once_or_twice(tmp_path):
    file = CsvFile(tmp_path / "job.csv", COLUMNS)
    file.close()

    file.delete()
    file.delete()

    assert not file.path.exists()


def test_reads_newlines_quotes_and_wide_characters_back():
    rows = [["sf__Id", "Text"], ["a01", 'line\none\r\n"two" 👩‍👩‍👧,\u2028 end']]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)

    read = list(csvfile.read(io.BytesIO(text.getvalue().encode())))

    assert read == rows


def test_reads_cells_beyond_the_default_limit_of_csv():
    cell = "x" * 200_000

    read = list(csvfile.read(io.BytesIO(f'"{cell}"\n'.encode())))

    assert read == [[cell]]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
                lambda text: text != csvfile.NULL
            ),
            min_size=2,
            max_size=2,
        ),
        max_size=20,
    )
)
def test_reads_back_every_text_that_it_writes(rows):
    with TemporaryDirectory() as folder:
        with CsvFile(Path(folder) / "job.csv", COLUMNS) as file:
            file.write_rows(rows)
        read = list(csvfile.read(io.BytesIO(file.path.read_bytes())))

    assert read == [COLUMNS, *rows]


def test_leaves_the_file_open_for_its_owner():
    file = io.BytesIO(b"a,b\n")

    list(csvfile.read(file))

    assert not file.closed
