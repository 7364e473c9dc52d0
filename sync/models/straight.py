"""Statements straight through libpq: for each one psycopg's cursors work longer in Python than PostgreSQL does in all.

The connection stays psycopg's, which opens, commits and rolls back; its adapters make bytes of values and values of
rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection, DataError, IsolationLevel, OperationalError, ProgrammingError, capabilities
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.waiting import Wait

# What was asked so often is prepared the next time; of what is prepared, so many are kept: those used last.
_OFTEN, _MOST = 2, 200
_WITH_ROWS = (ExecStatus.TUPLES_OK, ExecStatus.TUPLES_CHUNK)
_SENT_ALONE = (ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)
# A prepared statement whose columns have other types now, and one that is not there.
_STALE = ("0A000", "26000")

Key = tuple[str, tuple[int, ...]]  # a statement, and the types of what it is given


class Answer:
    """The rows that a statement found, once it was answered; as far as our own readers go, a cursor."""

    __slots__ = ("result", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.result: Any = None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All of them."""
        return self.rows

    @property
    def description(self) -> list[tuple[None, int]]:
        """Of each column, the code of its type."""
        columns = self.result.nfields if self.result is not None else 0
        return [(None, self.result.ftype(column)) for column in range(columns)]


class Straight:
    """libpq's own calls on a connection of psycopg. A statement names what it is given $1, $2 and so on.

    Raises the errors of psycopg.
    """

    def __init__(self, driver: Connection[Any]) -> None:
        self._driver, self._pg = driver, driver.pgconn
        self._transformer = Transformer(_Context(driver))
        self._names: dict[Key, bytes] = {}
        self._asked: Counter[Key] = Counter()
        self._number = 0
        self._doubtful = False
        self._streams = False
        self._sent: list[tuple[Answer | None, Key | None]] = []  # each with what is prepared, if all is well

    def doubt(self) -> None:
        """What follows may make psycopg forget what is prepared on the connection, as it does when it rolls back."""
        if self._pg.transaction_status != TransactionStatus.IDLE:
            self._doubtful = True

    def ask(self, statement: str, values: Sequence[Any] = (), *, alone: bool = False, rows: int = 1) -> Answer:
        """Execute it and wait for the answer: in the transaction, which begins if there is none, or `alone`. The values
        may be those of several `rows`, one row after the other."""
        if self._begins(alone):
            try:
                return self.send(statement, values, rows=rows)
            finally:
                self.catch_up()
        given, key = self._given(statement, values, rows)
        name = self._known(key)
        if name is None and self._is_worth_it(key):
            name = self._new_name()
            self._read(self._pg.prepare(name, statement.encode(), key[1]), Answer())
            self._names[key] = name
            self._let_go()
        formats = self._transformer.formats
        if name is None:
            result = self._pg.exec_params(statement.encode(), given, key[1], formats)
        else:
            result = self._pg.exec_prepared(name, given, formats)
        answer = Answer()
        self._read(result, answer)
        return answer

    def stream(self, statement: str, values: Sequence[Any], portion: int) -> Iterator[Answer]:
        """Execute it in the transaction and hand its rows out as they come, so many at a time: PostgreSQL makes the
        next ones meanwhile. Nothing else can be asked before its end; who leaves earlier waits for the rest."""
        if self._begins(alone=False):
            self._read(self._pg.exec_(b"BEGIN"), Answer())
        given, key = self._given(statement, values, 1)
        self._pg.send_query_params(statement.encode(), given, key[1], self._transformer.formats)
        if capabilities.has_stream_chunked():
            self._pg.set_chunked_rows_mode(portion)
        self._streams = True
        try:
            while (result := self._driver.wait(fetch(self._pg))) is not None:
                answer = Answer()
                self._read(result, answer)
                yield answer
        finally:
            self._streams = False
            while self._driver.wait(fetch(self._pg)) is not None:
                pass

    def send(self, statement: str, values: Sequence[Any] = (), *, rows: int = 1) -> Answer:
        """Have it executed in the transaction, without waiting: the answer is there when all were caught up with."""
        begins = self._begins(alone=False)
        given, key = self._given(statement, values, rows)
        formats = self._transformer.formats
        if not self._sent:
            self._pg.enter_pipeline_mode()
        if begins:
            self._pg.send_query_params(b"BEGIN", None)
            self._sent.append((None, None))
        name = self._known(key)
        if name is None and self._is_worth_it(key):
            name = self._names[key] = self._new_name()
            self._pg.send_prepare(name, statement.encode(), key[1])
            self._sent.append((None, key))
        answer = Answer()
        if name is None:
            self._pg.send_query_params(statement.encode(), given, key[1], formats)
        else:
            self._pg.send_query_prepared(name, given, formats)
        self._sent.append((answer, None))
        return answer

    def catch_up(self) -> None:
        """Wait until all that was sent is answered. Raises what the first that failed would have raised."""
        if self._pg.pipeline_status == PipelineStatus.OFF:
            return
        sent, self._sent = self._sent, []
        self._pg.pipeline_sync()
        results = self._driver.wait(self._results(len(sent)))  # who is interrupted meanwhile has it cancelled
        fault = self._first_fault(sent, results)
        if fault is not None:
            raise fault
        self._let_go()

    def commit(self) -> None:
        """Catch up, and have the transaction committed if all went well: in the same round trip as the last of what was
        sent. If nothing was, psycopg is as good."""
        if self._sent and not self._driver.autocommit:
            self._pg.send_query_params(b"COMMIT", None)
            self._sent.append((None, None))
        self.catch_up()

    def _first_fault(self, sent: list[tuple[Answer | None, Key | None]], results: Sequence[Any]) -> Exception | None:
        """Read what each was answered."""
        fault: Exception | None = None
        for (answer, prepared), result in zip(sent, results, strict=True):
            try:
                self._read(result, answer or Answer())
            except Exception as error:
                fault = fault or error
                if prepared is not None:
                    self._names.pop(prepared, None)
        return fault

    def _begins(self, alone: bool) -> bool:
        """Whether a transaction is to be begun. One of another sort than usual psycopg begins."""
        if self._streams:  # libpq would throw away, without a word, the rows that were not looked at yet
            raise ProgrammingError("Nothing can be asked of a connection before the last row of its stream")
        if self._doubtful and not self._sent:
            self._look_what_is_left()
        if alone or self._sent or self._driver.autocommit or self._pg.transaction_status != TransactionStatus.IDLE:
            return False
        driver = self._driver
        # SQLAlchemy gives the usual one back by its name.
        usual = driver.isolation_level in (None, IsolationLevel.READ_COMMITTED)
        if usual and not driver.read_only and not driver.deferrable:
            return True
        driver.execute("SELECT 1")
        return False

    def _given(self, statement: str, values: Sequence[Any], rows: int) -> tuple[Sequence[Any], Key]:
        try:
            given = self._transformer.dump_sequence(values, [PyFormat.BINARY] * len(values))
        except OverflowError as error:
            raise DataError(str(error)) from error
        types = self._transformer.types or ()
        return given, (statement, types if rows == 1 else _of_columns(types, rows))

    def _known(self, key: Key) -> bytes | None:
        """What it is prepared as, if it is; then it is the last to be let go."""
        name = self._names.pop(key, None)
        if name is not None:
            self._names[key] = name
        return name

    def _is_worth_it(self, key: Key) -> bool:
        self._asked[key] += 1
        if len(self._asked) > 10 * _MOST:
            self._asked.clear()
        return self._asked[key] > _OFTEN

    def _new_name(self) -> bytes:
        self._number += 1
        return b"siby_%d" % self._number

    def _let_go(self) -> None:
        while len(self._names) > _MOST:
            oldest = next(iter(self._names))
            self._read(self._pg.exec_(b"DEALLOCATE " + self._names.pop(oldest)), Answer())

    def _look_what_is_left(self) -> None:
        result = self._pg.exec_(b"SELECT name FROM pg_prepared_statements")
        if result.status != ExecStatus.TUPLES_OK:
            return
        left = {result.get_value(row, 0) for row in range(result.ntuples)}
        self._names = {key: name for key, name in self._names.items() if name in left}
        self._doubtful = False

    def _results(self, count: int) -> Any:
        """Those of so many statements that were sent; other threads go on meanwhile."""
        results: list[Any] = []
        while self._pg.flush():
            yield Wait.RW
            self._pg.consume_input()
        while len(results) <= 2 * count:  # after each comes the end of its own, and last the end of them all
            while self._pg.is_busy():
                yield Wait.R
                self._pg.consume_input()
            results.append(self._pg.get_result())
        self._pg.exit_pipeline_mode()
        return results[:-1:2]

    def _read(self, result: Any, answer: Answer) -> None:
        if result is not None and result.status in _WITH_ROWS:
            self._transformer.set_pgresult(result)
            answer.rows, answer.result = self._transformer.load_rows(0, result.ntuples, tuple), result
        elif result is None or result.status not in _SENT_ALONE:
            encoding = self._driver.info.encoding
            if self._pg.status != ConnStatus.OK or result is None:
                raise OperationalError(self._pg.get_error_message(encoding))
            error = error_from_result(result, encoding)
            if error.sqlstate in _STALE:
                self._names.clear()
            raise error


def _of_columns(types: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """NULL has the type of what else its column holds, so that a statement is prepared once wherever NULL may be."""
    width = len(types) // rows
    known = tuple([max(types[column::width]) for column in range(width)]) * rows
    return known if all(own in (0, whole) for own, whole in zip(types, known, strict=True)) else types


class _Context:
    """psycopg's adapters of a connection, but for numbers: of whatever size, they are sent as ones of 64 bits, so that
    a statement is prepared once for all of them."""

    def __init__(self, driver: Connection[Any]) -> None:
        self.connection = driver
        self.adapters = AdaptersMap(driver.adapters)
        self.adapters.register_dumper(int, Int8BinaryDumper)
