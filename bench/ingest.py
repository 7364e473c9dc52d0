"""Batches through the real server: processor time of one submission, and how many a second from four devices."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.installation import Installation
from bench.report import Line, middle
from bench.visits import batch_of

ITEMS = 200
DEVICES = 4


class Deliveries:
    """Batches of visits that have not been sent yet, made before anything is measured."""

    def __init__(self) -> None:
        self.next = 0

    def make(self, batches: int) -> list[bytes]:
        """So many batches of 200."""
        made = [batch_of(self.next + number * ITEMS, ITEMS) for number in range(batches)]
        self.next += batches * ITEMS
        return made


def measure_ingest(installation: Installation, deliveries: Deliveries, runs: int, batches: int) -> list[Line]:
    """The processor time with one device that sends batch after batch, and the rate with four at once."""
    send_all(installation, deliveries.make(2 * DEVICES))  # Every process has compiled the form.
    singles = [one_device(installation, deliveries.make(batches)) for _ in range(runs)]
    rates = [four_devices(installation, deliveries.make(batches * DEVICES)) for _ in range(runs)]
    server = middle([run[0] for run in singles])
    database = middle([run[1] for run in singles])
    return [
        Line("processor time of a submission, all in all", (server + database) * 1000, "ms", most=1.2, note="aim 0.8"),
        Line("… of the server", server * 1000, "ms"),
        Line("… of the database", database * 1000, "ms"),
        Line("one device", middle([run[2] for run in singles]), "submissions/s"),
        Line("four devices at once", middle(rates), "submissions/s", least=1200),
    ]


def one_device(installation: Installation, packed: Sequence[bytes]) -> tuple[float, float, float]:
    """Seconds of processor time of server and database for each submission, and submissions a second."""
    before, began = installation.cpu(), time.perf_counter()
    for body in packed:
        require_stored(installation.send(body))
    seconds, after = time.perf_counter() - began, installation.cpu()
    items = len(packed) * ITEMS
    return (after[0] - before[0]) / items, (after[1] - before[1]) / items, items / seconds


def four_devices(installation: Installation, packed: Sequence[bytes]) -> float:
    """Submissions a second when four devices send at once, each one batch after the other."""
    began = time.perf_counter()
    send_all(installation, packed)
    return len(packed) * ITEMS / (time.perf_counter() - began)


def send_all(installation: Installation, packed: Sequence[bytes]) -> None:
    """Sends all batches, shared out among four devices."""

    def send(device: int) -> None:
        for body in packed[device::DEVICES]:
            require_stored(installation.send(body, device + 1))

    with ThreadPoolExecutor(DEVICES) as devices:
        list(devices.map(send, range(DEVICES)))


def require_stored(outcomes: Sequence[str]) -> None:
    """A figure about storing is worth nothing if something else happened."""
    if set(outcomes) != {"stored"}:
        raise RuntimeError(f"Not everything was stored: {sorted(set(outcomes))}")
