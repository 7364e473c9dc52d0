"""Posts by OpenRosa through the real server: the processor time of one, and how long tablets wait that send at once."""

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.installation import Installation
from bench.report import Line, middle, p95
from bench.visits import visit

FIRST = 70_000_000  # none of the visits that other measurements send
PHOTO_BYTES = 20_000
TABLETS = 16
BOUNDARY = "b7f0c2d4e6"
_numbers = itertools.count(FIRST)


def measure_openrosa(installation: Installation, runs: int, posts: int) -> list[Line]:
    """One device that posts form after form, without and with a photo; then sixteen at once."""
    send_all(installation, made(80, 0), tablets=4)  # every process has compiled the form
    installation.settle()
    bare = [one_tablet(installation, posts, 0) for _ in range(runs)]
    with_photo = [one_tablet(installation, posts // 2, 1) for _ in range(runs)]
    waits = [send_all(installation, made(posts, 0), tablets=TABLETS) for _ in range(runs)]
    paced = [send_all(installation, made(posts, 0), tablets=TABLETS, pause=0.25) for _ in range(runs)]
    return [
        Line("processor time of a post, all in all", middle([run[0] for run in bare]), "ms", most=5, note="aim 3"),
        Line("… of the database", middle([run[1] for run in bare]), "ms"),
        Line("… with a photo of 20 kB", middle([run[0] for run in with_photo]), "ms", most=7),
        Line("16 tablets that post all the time, p95", middle([p95(run) for run in waits]) * 1000, "ms"),
        Line("… posts a second", middle([rate(run) for run in waits]), "posts/s"),
        Line("16 tablets, four posts a second each, p95", middle([p95(run) for run in paced]) * 1000, "ms", most=60),
    ]


def made(posts: int, photos: int) -> Iterator[bytes]:
    """Bodies as Collect writes them, each a visit that has not been sent."""
    for number in itertools.islice(_numbers, posts):
        yield body_of(number, photos)


def body_of(number: int, photos: int) -> bytes:
    """A visit with its photos."""
    parts = [part("xml_submission_file", "submission.xml", "text/xml", visit(number).xml.encode())]
    for index in range(photos):
        content = random.Random(f"photo {number} {index}").randbytes(PHOTO_BYTES)
        parts.append(part(f"{number}-{index}.jpg", f"{number}-{index}.jpg", "image/jpeg", content))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def part(name: str, filename: str, kind: str, content: bytes) -> bytes:
    """One part of a body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"


def one_tablet(installation: Installation, posts: int, photos: int) -> tuple[float, float]:
    """Milliseconds of processor time of a post, all in all and of the database."""
    bodies = list(made(posts, photos))
    before = installation.cpu()
    for body in bodies:
        post(installation, body, 0)
    after = installation.cpu()
    server, database = (1000 * (then - now) / posts for then, now in zip(after, before, strict=True))
    return server + database, database


def send_all(installation: Installation, bodies: Iterator[bytes], tablets: int, pause: float = 0.0) -> list[float]:
    """The seconds that each post took, shared out among so many tablets; with a `pause` they post once in it each."""
    shared = list(bodies)

    def send(tablet: int) -> list[float]:
        taken = []
        next_at = time.perf_counter() + pause * random.Random(tablet).random()
        for body in shared[tablet::tablets]:
            if pause:
                time.sleep(max(0.0, next_at - time.perf_counter()))
                next_at += pause
            began = time.perf_counter()
            post(installation, body, tablet + 1)
            taken.append(time.perf_counter() - began)
        return taken

    with ThreadPoolExecutor(tablets) as pool:
        return [seconds for taken in pool.map(send, range(tablets)) for seconds in taken]


def post(installation: Installation, body: bytes, tablet: int) -> None:
    """One post, which has to be stored."""
    path = f"/v1/projects/{installation.project}/submission?deviceID=bench{tablet}"
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    headers = {"Content_Type": kind, "X_OpenRosa_Version": "1.0"}
    status, said = installation.ask("POST", path, body, tablet, **headers)
    if status != 201:
        raise RuntimeError(f"The post was answered {status}: {said[:500]!r}")


def rate(taken: list[float]) -> float:
    """Posts a second of tablets that wait for nothing but their answers."""
    return TABLETS * len(taken) / sum(taken)
