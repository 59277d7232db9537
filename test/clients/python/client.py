"""Calls a Charge Service as a Python program would, and prints what it saw as one JSON object.

Arguments: the address of a server with an empty journal.
"""

import json
import sys
import threading

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from contract import compile_contract

compile_contract()

from buf.validate import validate_pb2  # noqa: E402
from charge.v1 import charge_pb2, charge_service_pb2, charge_service_pb2_grpc, options_pb2  # noqa: E402

TIMEOUT_S = 20
STREAM_ITEMS = 500
STREAM_WINDOW = 50


def item(request_id: str, **fields) -> charge_service_pb2.CreateChargeRequest:
    """A valid request; `fields` replaces what matters."""
    charge = {
        "user_profile": "py",
        "provider": charge_pb2.PROVIDER_ANTHROPIC,
        "charge_type": charge_pb2.CHARGE_TYPE_COMPLETION,
        "model": "claude",
        "prompt_tokens": 374,
        "completion_tokens": 44,
        **fields,
    }
    return charge_service_pb2.CreateChargeRequest(request_id=request_id, charge=charge_pb2.Charge(**charge))


def describe(status) -> dict:
    """A google.rpc.Status with its details unpacked."""
    seen = {"code": status.code, "message": status.message, "details": [any.TypeName() for any in status.details]}
    for detail in status.details:
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            seen.update(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
        if detail.Unpack(bad_request):
            seen["violations"] = sorted([v.field, v.reason] for v in bad_request.field_violations)
    return seen


def failure(call) -> dict:
    """The error of a call that has to fail."""
    try:
        call()
    except grpc.RpcError as error:
        return {"grpc_code": error.code().name, **describe(rpc_status.from_call(error))}
    raise AssertionError("the call succeeded")


def see_descriptors() -> dict:
    """Labels and rules, read from the generated code."""
    labels = {
        value.name: value.GetOptions().Extensions[options_pb2.label]
        for enum in (charge_pb2.Provider, charge_pb2.ChargeType)
        for value in enum.DESCRIPTOR.values
    }
    rules = charge_pb2.Charge.DESCRIPTOR.fields_by_name["user_profile"].GetOptions().Extensions[validate_pb2.field]
    cel = charge_pb2.Charge.DESCRIPTOR.GetOptions().Extensions[validate_pb2.message].cel
    return {"labels": labels, "user_profile_max_len": rules.string.max_len, "charge_rules": [rule.id for rule in cel]}


def see_writes(stub) -> dict:
    first = stub.CreateCharge(item("py-1", labels={"team": "a"}), timeout=TIMEOUT_S)
    second = stub.CreateCharge(item("py-1", labels={"team": "a"}), timeout=TIMEOUT_S)
    batch = stub.BatchCreateCharges(
        charge_service_pb2.BatchCreateChargesRequest(
            requests=[item("py-batch-1"), item("py-batch-2", user_profile=""), item("py-1", labels={"team": "a"})]
        ),
        timeout=TIMEOUT_S,
    )
    return {
        "created": {
            "id": first.charge.id,
            "replayed": first.replayed,
            "total_tokens": first.charge.total_tokens,
            "labels": dict(first.charge.labels),
            "create_time_us": first.charge.create_time.ToMicroseconds(),
        },
        "repeated": {"same_charge": second.charge == first.charge, "replayed": second.replayed},
        "conflict": failure(lambda: stub.CreateCharge(item("py-1", prompt_tokens=375), timeout=TIMEOUT_S)),
        "invalid": failure(
            lambda: stub.CreateCharge(item("", user_profile="", provider=0, prompt_tokens=-1), timeout=TIMEOUT_S)
        ),
        "batch": [
            {
                "outcome": charge_service_pb2.Outcome.Name(result.outcome),
                "has_charge": result.HasField("charge"),
                "status": describe(result.status) if result.HasField("status") else None,
            }
            for result in batch.results
        ],
        "missing": failure(
            lambda: stub.GetCharge(charge_service_pb2.GetChargeRequest(request_id="py-none"), timeout=TIMEOUT_S)
        ),
    }


def see_stream(stub) -> dict:
    """Keeps at most STREAM_WINDOW items unanswered, so it hangs unless answers come while the stream is open."""
    window = threading.Semaphore(STREAM_WINDOW)

    def requests():
        for number in range(STREAM_ITEMS):
            if not window.acquire(timeout=TIMEOUT_S):
                return
            yield charge_service_pb2.RecordChargesRequest(
                request=item(f"py-stream-{number}", reference=f"item-{number}")
            )

    references, outcomes = [], set()
    for response in stub.RecordCharges(requests(), timeout=2 * TIMEOUT_S):
        references.append(response.result.charge.reference)
        outcomes.add(charge_service_pb2.Outcome.Name(response.result.outcome))
        window.release()
    return {"references": references, "outcomes": sorted(outcomes)}


def see_lists(stub) -> dict:
    ids, pages, token = [], 0, ""
    while True:
        page = stub.ListCharges(
            charge_service_pb2.ListChargesRequest(page_size=64, page_token=token), timeout=TIMEOUT_S
        )
        pages += 1
        ids += [charge.id for charge in page.charges]
        token = page.next_page_token
        if not token:
            return {"pages": pages, "ids": ids}


def see_watch(stub, stored: int) -> dict:
    """History from the first entry, then one charge that is written while the watch is open."""
    call = stub.WatchCharges(charge_service_pb2.WatchChargesRequest(start_sequence=1), timeout=2 * TIMEOUT_S)
    sequences, ids, live = [], [], None
    for response in call:
        event = response.charge_created
        sequences.append(event.sequence)
        ids.append(event.charge.id)
        if len(sequences) == stored:
            live = stub.CreateCharge(item("py-live"), timeout=TIMEOUT_S).charge.id
        if len(sequences) > stored:
            call.cancel()
            break
    out_of_range = charge_service_pb2.WatchChargesRequest(start_sequence=stored + 100)
    return {
        "sequences": sequences,
        "ids": ids,
        "live": live,
        "out_of_range": failure(lambda: list(stub.WatchCharges(out_of_range, timeout=TIMEOUT_S))),
    }


def see_health(channel) -> dict:
    stub = health_pb2_grpc.HealthStub(channel)
    status = {
        name: health_pb2.HealthCheckResponse.ServingStatus.Name(
            stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S).status
        )
        for name in ("", "charge.v1.ChargeService")
    }
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        status["nobody"] = error.code().name
    return status


def main(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = charge_service_pb2_grpc.ChargeServiceStub(channel)
        seen = {"descriptors": see_descriptors(), **see_writes(stub), "stream": see_stream(stub)}
        seen["list"] = see_lists(stub)
        seen["watch"] = see_watch(stub, len(seen["list"]["ids"]))
        seen["health"] = see_health(channel)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
