"""Peer: the ancestor's way. `Charge.objects.create()` and `bulk_create(500)` of Django's ORM.

Plain calls on one persistent connection for each worker: no web server, no serializer, no
validation (the ancestor's `full_clean()` before every save would make it slower still), no event.
The model is mapped to the table that the service's own migrations make, with all its indexes.

Usage: bench.py CONFIG, where CONFIG is JSON with database, rows (path), mode, processes, threads,
batch and seconds. Prints JSON: rows written, seconds, CPU seconds of the workers, latencies in
milliseconds.
"""

import json
import multiprocessing
import random
import sys
import threading
import time
import uuid

import django
from django.conf import settings

CONFIG = json.loads(sys.argv[1])

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **CONFIG["database"]}},
    INSTALLED_APPS=[],
    USE_TZ=True,
    DEBUG=False,
)
django.setup()

from django.db import connection, models  # noqa: E402
from django.utils import timezone  # noqa: E402


def time_ordered_uuid():
    """UUIDv7, so that the primary key grows at its end as the service's does."""
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (random.getrandbits(12) << 64) | (2 << 62) | random.getrandbits(62))


class Charge(models.Model):
    id = models.UUIDField(primary_key=True, default=time_ordered_uuid)
    tenant = models.TextField(default="default")
    request_key = models.UUIDField()
    content_hash = models.UUIDField(default=uuid.UUID(int=0))
    user_profile = models.TextField()
    session_key = models.TextField(null=True)
    provider = models.SmallIntegerField()
    other_provider = models.TextField(null=True)
    charge_type = models.SmallIntegerField()
    prompt_tokens = models.BigIntegerField()
    completion_tokens = models.BigIntegerField()
    total_tokens = models.BigIntegerField()
    model = models.TextField(null=True)
    reference = models.TextField(null=True)
    labels = models.JSONField(null=True)
    usage_time = models.DateTimeField(default=timezone.now)
    create_time = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "charge"


def columns(row):
    return {
        "request_key": uuid.uuid4(),
        "user_profile": row["userProfile"],
        "session_key": row["sessionKey"],
        "provider": row["provider"],
        "charge_type": row["chargeType"],
        "model": row["model"],
        "prompt_tokens": row["promptTokens"],
        "completion_tokens": row["completionTokens"],
        "total_tokens": row["promptTokens"] + row["completionTokens"],
        "labels": row["labels"] or None,
    }


def work(rows, offset, stop_at, results):
    written, latencies, at = 0, [], offset
    size = 1 if CONFIG["mode"] == "create" else CONFIG["batch"]
    while time.monotonic() < stop_at:
        started = time.perf_counter()
        if CONFIG["mode"] == "create":
            Charge.objects.create(**columns(rows[at % len(rows)]))
        else:
            Charge.objects.bulk_create([Charge(**columns(rows[(at + i) % len(rows)])) for i in range(size)])
        latencies.append((time.perf_counter() - started) * 1000)
        at += size
        written += size
    results.append((written, latencies))
    connection.close()


def run_process(index, start, queue):
    rows = json.load(open(CONFIG["rows"]))
    # Opens the connection machinery before the clock starts.
    Charge.objects.filter(pk=uuid.UUID(int=0)).exists()
    connection.close()
    start.wait()
    cpu_before = time.process_time()
    stop_at = time.monotonic() + CONFIG["seconds"]
    results = []
    threads = [
        threading.Thread(target=work, args=(rows, (index * 97 + t * 31) % len(rows), stop_at, results))
        for t in range(CONFIG["threads"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put((results, time.process_time() - cpu_before))


def main():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    start = context.Barrier(CONFIG["processes"] + 1)
    processes = [context.Process(target=run_process, args=(i, start, queue)) for i in range(CONFIG["processes"])]
    for process in processes:
        process.start()
    start.wait()
    started = time.monotonic()
    answers = [queue.get() for _ in processes]
    seconds = time.monotonic() - started
    results = [result for worker_results, _ in answers for result in worker_results]
    for process in processes:
        process.join()
    latencies = sorted(value for _, values in results for value in values)
    print(
        json.dumps(
            {
                "rows": sum(written for written, _ in results),
                "seconds": seconds,
                "p50Ms": latencies[len(latencies) // 2],
                "p99Ms": latencies[int(len(latencies) * 0.99)],
                "cpuSeconds": sum(cpu for _, cpu in answers),
            }
        )
    )


main()
